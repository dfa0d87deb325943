package identity

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// upstreamTimeout bounds every step that waits for the provider.
const upstreamTimeout = 10 * time.Second

// OIDC is a Redirect provider: OpenID Connect's code flow with PKCE. What it
// discovers it keeps, so one OIDC should serve all sign-ins; it is safe for
// concurrent use.
type OIDC struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	name     string
	provider catalog.OIDCProvider
	secret   func(context.Context) (string, error)
	client   *http.Client

	flight singleflight.Group
	cache  discoveryCache
}

// NewOIDC makes the provider of that name. Discovery waits for the first sign-in.
// The secret is asked for at each sign-in, so that it may change; nil, or an empty
// secret, means a public client. A nil httpClient means http.DefaultClient; its
// redirects, answers and time are bounded here.
func NewOIDC(name string, provider *catalog.OIDCProvider, secret func(context.Context) (string, error), httpClient *http.Client) *OIDC {
	if secret == nil {
		secret = func(context.Context) (string, error) { return "", nil }
	}
	return &OIDC{name: name, provider: *provider, secret: secret, client: bounded(httpClient)}
}

// Begin implements Redirect. The request carries nothing of ours but the client and
// the wish: no "resource", which many providers refuse, and no hint of the MCP
// client.
func (o *OIDC) Begin(ctx context.Context, callbackURL string, wish Wish) (string, Login, error) {
	found, err := o.discover(ctx)
	if err != nil {
		return "", Login{}, err
	}
	login := Login{
		State: credential.Random(32), Nonce: credential.Random(32), Verifier: oauth2.GenerateVerifier(), MaxAge: wish.MaxAge,
	}
	options := append(wishOptions(wish), oidc.Nonce(login.Nonce), oauth2.S256ChallengeOption(login.Verifier))
	return o.config(found, callbackURL, "").AuthCodeURL(login.State, options...), login, nil
}

func wishOptions(wish Wish) []oauth2.AuthCodeOption {
	var options []oauth2.AuthCodeOption
	add := func(name, value string) {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	switch {
	case wish.Login:
		add("prompt", "login")
	case wish.SelectAccount:
		add("prompt", "select_account")
	}
	if wish.MaxAge != nil {
		add("max_age", strconv.FormatInt(int64(wish.MaxAge.Seconds()), 10))
	}
	add("login_hint", wish.Hint)
	add("acr_values", wish.ACRValues)
	return options
}

func (o *OIDC) config(found *discovery, callbackURL, secret string) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, scope := range o.provider.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return &oauth2.Config{
		ClientID: o.provider.ClientID, ClientSecret: secret, RedirectURL: callbackURL,
		Endpoint: found.endpoint(secret != ""), Scopes: scopes,
	}
}

// Finish implements Redirect.
func (o *OIDC) Finish(ctx context.Context, callbackURL string, login Login, answer url.Values) (Assertion, error) {
	if err := checkState(login, answer); err != nil {
		return Assertion{}, err
	}
	found, err := o.discover(ctx)
	if err != nil {
		return Assertion{}, err
	}
	code, err := o.codeOf(found, answer)
	if err != nil {
		return Assertion{}, err
	}
	raw, err := o.exchange(ctx, found, callbackURL, login, code)
	if err != nil {
		return Assertion{}, err
	}
	return o.verify(ctx, found, login, raw)
}

// checkState comes first: an answer to a sign-in that this browser did not begin
// is not looked at, not even for its error.
func checkState(login Login, answer url.Values) error {
	state, err := only(answer, "state")
	switch {
	case err != nil:
		return err
	case login.State == "", subtle.ConstantTimeCompare([]byte(state), []byte(login.State)) != 1:
		return fmt.Errorf("%w: its answer is not to this sign-in", ErrUpstream)
	}
	return nil
}

// codeOf checks who answers (RFC 9207) and what.
func (o *OIDC) codeOf(found *discovery, answer url.Values) (string, error) {
	issuer, issErr := only(answer, "iss")
	failure, failErr := only(answer, "error")
	code, codeErr := only(answer, "code")
	if err := errors.Join(issErr, failErr, codeErr); err != nil {
		return "", err
	}
	switch {
	case issuer != "" && issuer != o.provider.Issuer, issuer == "" && found.statesIssuer:
		return "", fmt.Errorf("%w: its answer is from another issuer, or does not say from which", ErrUpstream)
	case failure != "":
		return "", fmt.Errorf("%w: it answered %q", ErrUpstream, errorCode(failure))
	case code == "":
		return "", fmt.Errorf("%w: its answer has neither a code nor an error", ErrUpstream)
	}
	return code, nil
}

// only refuses a parameter that is there twice: two readers could pick two.
func only(answer url.Values, name string) (string, error) {
	if len(answer[name]) > 1 {
		return "", fmt.Errorf("%w: its answer has more than one %s", ErrUpstream, name)
	}
	return answer.Get(name), nil
}

// exchange redeems the code for an ID token's text.
func (o *OIDC) exchange(ctx context.Context, found *discovery, callbackURL string, login Login, code string) (string, error) {
	secret, err := o.secret(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: read our client secret: %w", ErrUpstream, err)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, o.client), upstreamTimeout)
	defer cancel()
	token, err := o.config(found, callbackURL, secret).Exchange(ctx, code, oauth2.VerifierOption(login.Verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		// Its text may quote the whole of the answer, so only the code goes on.
		return "", fmt.Errorf("%w: its token endpoint answered %d %q", ErrUpstream, refused.Response.StatusCode, errorCode(refused.ErrorCode))
	case err != nil:
		return "", fmt.Errorf("%w: redeem its code: %w", ErrUpstream, err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", fmt.Errorf("%w: its token endpoint returned no ID token", ErrUpstream)
	}
	return raw, nil
}

// verify checks an ID token (OpenID Connect Core §3.1.3.7) and reads its claims.
func (o *OIDC) verify(ctx context.Context, found *discovery, login Login, raw string) (Assertion, error) {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	token, err := found.provider.Verifier(&oidc.Config{ClientID: o.provider.ClientID, Now: o.now}).Verify(ctx, raw)
	if err != nil {
		return Assertion{}, fmt.Errorf("%w: verify its ID token: %w", ErrUpstream, err)
	}
	if login.Nonce == "" || subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(login.Nonce)) != 1 {
		return Assertion{}, fmt.Errorf("%w: its ID token is not for this sign-in", ErrUpstream)
	}
	var claims claims
	if err := token.Claims(&claims); err != nil {
		return Assertion{}, fmt.Errorf("%w: its ID token's claims are not an object", ErrUpstream)
	}
	if err := o.checkAge(login, claims); err != nil {
		return Assertion{}, err
	}
	return o.assertion(claims)
}

// ageSkew is how far the provider's clock may differ from ours.
const ageSkew = 30 * time.Second

// checkAge makes sure that a max_age was kept (OpenID Connect Core §3.1.3.7, 13).
func (o *OIDC) checkAge(login Login, c claims) error {
	if login.MaxAge == nil {
		return nil
	}
	seconds, ok := c["auth_time"].(float64)
	if !ok {
		return fmt.Errorf("%w: it does not say when the user signed in, so that max_age cannot be kept", ErrUpstream)
	}
	if o.now().Sub(time.Unix(int64(seconds), 0)) > *login.MaxAge+ageSkew {
		return fmt.Errorf("%w: the user signed in longer ago than max_age allows", ErrUpstream)
	}
	return nil
}

func (o *OIDC) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

// errorCode lets a stranger's error code into our words only where it looks like
// one (RFC 6749 §5.2 and its registry).
func errorCode(s string) string {
	if s == "" || len(s) > 64 {
		return "unknown"
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return "unknown"
		}
	}
	return s
}
