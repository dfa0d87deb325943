package authserver

import (
	"errors"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/oauth"
)

// maxStateLength bounds the client's own state, which travels with the browser.
const maxStateLength = 2048

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
		a.stateBounded,
		a.responseTypeCode,
		a.responseModeQuery,
		a.clientMayAuthorize,
		a.challengeS256,
		a.reachableResource,
		a.grantableScope,
		a.promptPossible,
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
	if errors.Is(err, client.ErrUnknown) {
		return oauth.Errorf(oauth.InvalidClient, "this server does not know the app that sent you here; the app has to register again")
	}
	a.client = cl
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

func (a *authorization) stateBounded() error {
	if len(a.params.Get("state")) > maxStateLength {
		return oauth.Errorf(oauth.InvalidRequest, "state is longer than %d characters", maxStateLength)
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

func (a *authorization) reachableResource() (err error) {
	a.resource, err = a.issuer.chooseResource(a.client, resourcesOf(a.params))
	return err
}

func (a *authorization) grantableScope() error {
	requested, err := oauth.ParseScope(a.params.Get("scope"))
	if err != nil {
		return err
	}
	a.scope, err = requestedScope(a.resource, a.client, requested)
	return err
}

// promptPossible refuses what cannot be: every journey of this server shows a
// page. Other prompts ask for what happens anyway.
func (a *authorization) promptPossible() error {
	prompts := strings.Fields(a.params.Get("prompt"))
	if !slices.Contains(prompts, "none") {
		return nil
	}
	if len(prompts) > 1 {
		return oauth.Errorf(oauth.InvalidRequest, "prompt=none excludes every other prompt")
	}
	return oauth.Errorf(oauth.LoginRequired, "the user has to sign in; prompt=none forbids that")
}

func (a *authorization) someoneSignsIn() error {
	if len(a.issuer.Providers()) == 0 {
		return oauth.Errorf(oauth.TemporarilyUnavailable, "no identity provider is configured, so nobody can sign in yet")
	}
	return nil
}
