package authserver

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/oauth"
)

// Bounds on what travels with the browser.
const (
	maxStateLength = 2048
	maxHintLength  = 256 // of nonce, login_hint and acr_values each
)

// prompt is what a request wants the user to be asked (OpenID Connect Core
// §3.1.2.1).
type prompt struct {
	none, login, consent, selectAccount bool
}

// check is one question about an authorization request. Its error is an
// *oauth.Error, or a failure of the store.
type check func() error

// proveDestination are the checks before which nothing is known to be the
// client's: their errors end on a page and never on a redirect.
func (a *authorization) proveDestination() []check {
	return []check{
		a.oneClientAndRedirect,
		a.knownClient,
		a.registeredRedirect,
	}
}

// checkRequest are the checks whose errors the client is told.
func (a *authorization) checkRequest() []check {
	return []check{
		a.everyParameterOnce,
		a.pushedWhereRequired,
		a.noRequestObject,
		a.parametersBounded,
		a.responseTypeCode,
		a.responseModeQuery,
		a.clientMayAuthorize,
		a.challengeS256,
		a.keyThumbprint,
		a.reachableResources,
		a.allowedRedirect,
		a.grantableScope,
		a.knownPrompt,
		a.validMaxAge,
		a.knownHint,
		a.someoneSignsIn,
	}
}

func (a *authorization) run(checks []check) error {
	for _, c := range checks {
		if err := c(); err != nil {
			return err
		}
	}
	return nil
}

func (a *authorization) oneClientAndRedirect() error {
	if len(a.params["client_id"]) > 1 || len(a.params["redirect_uri"]) > 1 {
		return oauth.Errorf(oauth.InvalidRequest, "client_id or redirect_uri occurs more than once")
	}
	return nil
}

func (a *authorization) knownClient() error {
	id := a.params.Get("client_id")
	if id == "" {
		return oauth.Errorf(oauth.InvalidRequest, "the request names no client_id")
	}
	cl, err := a.issuer.clients.Resolve(a.ctx, id)
	a.client = cl
	return clientError(err)
}

// clientError says what to do about a client that cannot be resolved.
func clientError(err error) error {
	var document *client.DocumentError
	switch {
	case errors.Is(err, client.ErrBlocked):
		return oauth.Errorf(oauth.InvalidClient, "the operators of this server have blocked the app that sent you here")
	case errors.Is(err, client.ErrUnknown):
		return oauth.Errorf(oauth.InvalidClient, "this server does not know the app that sent you here; the app has to register again")
	case errors.As(err, &document) && document.Temporary:
		return oauth.Errorf(oauth.TemporarilyUnavailable, "%w", document)
	case errors.As(err, &document):
		return oauth.Errorf(oauth.InvalidClient, "%w", document)
	}
	return err
}

func (a *authorization) registeredRedirect() error {
	uri, err := a.client.RedirectURI(a.params.Get("redirect_uri"))
	if err != nil {
		return oauth.Errorf(oauth.InvalidRequest, "%w", err)
	}
	a.redirectURI = uri
	return nil
}

func (a *authorization) everyParameterOnce() error { return onlyOnce(a.params) }

// pushedWhereRequired holds clients to what they, or their operators, demanded
// (RFC 9126 §6).
func (a *authorization) pushedWhereRequired() error {
	if a.client.RequirePushedRequests && !a.pushed {
		return oauth.Errorf(oauth.InvalidRequest, "this client has to push its authorization requests: send them to the pushed_authorization_request_endpoint first")
	}
	return nil
}

func (a *authorization) noRequestObject() error {
	if a.params.Get("request") != "" {
		return oauth.Errorf(oauth.RequestNotSupported, "request objects are not supported; push the parameters instead")
	}
	return nil
}

func (a *authorization) parametersBounded() error {
	if len(a.params.Get("state")) > maxStateLength {
		return oauth.Errorf(oauth.InvalidRequest, "state is longer than %d characters", maxStateLength)
	}
	for _, name := range []string{"nonce", "login_hint", "acr_values"} {
		if len(a.params.Get(name)) > maxHintLength {
			return oauth.Errorf(oauth.InvalidRequest, "%s is longer than %d characters", name, maxHintLength)
		}
	}
	return nil
}

func (a *authorization) responseTypeCode() error {
	switch a.params.Get("response_type") {
	case "code":
		return nil
	case "":
		return oauth.Errorf(oauth.InvalidRequest, "response_type is missing; send code")
	}
	return oauth.Errorf(oauth.UnsupportedResponseType, "response_type must be code")
}

func (a *authorization) responseModeQuery() error {
	if mode := a.params.Get("response_mode"); mode != "" && mode != "query" {
		return oauth.Errorf(oauth.InvalidRequest, "response_mode must be query")
	}
	return nil
}

func (a *authorization) clientMayAuthorize() error {
	if !a.client.MayUse(oauth.GrantAuthorizationCode) {
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the authorization_code grant")
	}
	return nil
}

// challengeS256 wants PKCE of every client (OAuth 2.1 §7.5). A request without a
// method means "plain" by RFC 7636 §4.3, which is refused like any other.
func (a *authorization) challengeS256() error {
	challenge, method := a.params.Get("code_challenge"), a.params.Get("code_challenge_method")
	if challenge == "" {
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge is missing: PKCE with S256 is required")
	}
	if method != oauth.ChallengeMethodS256 {
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge_method must be S256")
	}
	if err := oauth.ValidCodeChallenge(challenge); err != nil {
		return oauth.Errorf(oauth.InvalidRequest, "%w", err)
	}
	return nil
}

// keyThumbprint checks that dpop_jkt could be one (RFC 9449 §10).
func (a *authorization) keyThumbprint() error {
	if jkt := a.params.Get("dpop_jkt"); jkt != "" && oauth.ValidCodeChallenge(jkt) != nil {
		return oauth.Errorf(oauth.InvalidRequest, "dpop_jkt is not the base64url SHA-256 thumbprint of a key")
	}
	return nil
}

func (a *authorization) reachableResources() (err error) {
	a.resources, err = a.issuer.chooseResources(a.client, resourcesOf(a.params))
	return err
}

// allowedRedirect applies what the resources' own rules say of redirect hosts.
func (a *authorization) allowedRedirect() error {
	for _, resource := range a.resources {
		if !a.client.MayRedirect(resource, a.redirectURI) {
			return oauth.Errorf(oauth.InvalidTarget, "%s takes no clients that send users to that redirect host", resource.URL)
		}
	}
	return nil
}

func (a *authorization) grantableScope() error {
	requested, err := oauth.ParseScope(a.params.Get("scope"))
	if err != nil {
		return err
	}
	a.scope, err = requestedScope(a.resources, a.client, requested)
	return err
}

func (a *authorization) knownPrompt() error {
	prompts := strings.Fields(a.params.Get("prompt"))
	for _, name := range prompts {
		switch name {
		case "none":
			a.prompt.none = true
		case "login":
			a.prompt.login = true
		case "consent":
			a.prompt.consent = true
		case "select_account":
			a.prompt.selectAccount = true
		} // others ask for what this server does not have, and are ignored
	}
	if a.prompt.none && len(prompts) > 1 {
		return oauth.Errorf(oauth.InvalidRequest, "prompt=none excludes every other prompt")
	}
	return nil
}

func (a *authorization) validMaxAge() error {
	text := a.params.Get("max_age")
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	if err != nil || seconds < 0 {
		return oauth.Errorf(oauth.InvalidRequest, "max_age is not a number of seconds")
	}
	age := time.Duration(seconds) * time.Second
	a.maxAge = &age
	return nil
}

// knownHint reads an ID token of ours, also an expired one (OpenID Connect Core
// §3.1.2.1): the answer is for its user and nobody else.
func (a *authorization) knownHint() error {
	raw := a.params.Get("id_token_hint")
	if raw == "" {
		return nil
	}
	subject, ok := readIDToken(raw, a.keys, a.issuer)
	if !ok {
		return oauth.Errorf(oauth.InvalidRequest, "id_token_hint is not an ID token of this issuer")
	}
	a.hinted = subject
	return nil
}

func (a *authorization) someoneSignsIn() error {
	if len(a.issuer.Providers()) == 0 {
		return oauth.Errorf(oauth.TemporarilyUnavailable, "no identity provider is configured, so nobody can sign in yet")
	}
	return nil
}
