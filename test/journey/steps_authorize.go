package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// listRequest is the plainest request a client can make.
const listRequest = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`

// callWithoutToken is step 1: RFC 9728 §5.1, RFC 6750 §3.
func (s *story) callWithoutToken(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.MCPURL, strings.NewReader(listRequest))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	response, err := s.client.http.Do(req)
	if err != nil {
		return "", expected("an answer from "+s.opts.MCPURL, "", err)
	}
	defer response.Body.Close()
	s.sayExchange(exchange{method: req.Method, url: req.URL, status: response.StatusCode})
	if response.StatusCode != http.StatusUnauthorized {
		return "", expected("401 Unauthorized", response.Status, nil)
	}
	if s.challenge, err = bearer(response.Header); err != nil {
		return "", err
	}
	for _, name := range []string{"resource_metadata", "scope"} {
		s.out.say(name, s.challenge.Params[name])
		if s.challenge.Params[name] == "" {
			return "", expected("a challenge with "+name, fmt.Sprint(s.challenge.Params), nil)
		}
	}
	if code := s.challenge.Params["error"]; code != "" {
		return "", expected("a challenge without error, since no token was sent (RFC 6750 §3.1)", code, nil)
	}
	return "refused, and told where to ask and for which scopes", nil
}

// discover is step 2: RFC 9728 §3, RFC 8414 §3. It connects, and by that sets
// off the steps up to 5.
func (s *story) discover(ctx context.Context) (string, error) {
	mark := s.client.watch.mark()
	s.connectErr = s.client.connect(ctx, s.opts.MCPURL)

	var resource oauthex.ProtectedResourceMetadata
	from, err := s.document(mark, "oauth-protected-resource", &resource)
	if err != nil {
		return "", err
	}
	s.out.say("resource", resource.Resource)
	s.out.say("issuer", list(resource.AuthorizationServers))
	switch {
	case from.url.String() != s.challenge.Params["resource_metadata"]:
		return "", expected("resource metadata at the URL of the challenge", from.url.String(), nil)
	case resource.Resource != s.opts.MCPURL:
		return "", expected("metadata for the resource "+s.opts.MCPURL, resource.Resource, nil)
	case len(resource.AuthorizationServers) == 0:
		return "", expected("metadata that names an authorization server", "none", nil)
	}
	if _, err := s.document(mark, "oauth-authorization-server", &s.server); err != nil {
		return "", err
	}
	s.out.say("authorize", s.server.AuthorizationEndpoint)
	s.out.say("token", s.server.TokenEndpoint)
	s.out.say("register", s.server.RegistrationEndpoint)
	return "found the authorization server", s.checkServer(resource.AuthorizationServers[0])
}

func (s *story) checkServer(issuer string) error {
	switch m := s.server; {
	case m.Issuer != issuer:
		return expected("metadata of the issuer "+issuer, m.Issuer, nil)
	case !slices.Contains(m.CodeChallengeMethodsSupported, "S256"):
		return expected("code_challenge_methods_supported with S256", list(m.CodeChallengeMethodsSupported), nil)
	case !slices.Contains(m.TokenEndpointAuthMethodsSupported, "none"):
		return expected("token_endpoint_auth_methods_supported with none", list(m.TokenEndpointAuthMethodsSupported), nil)
	case !m.AuthorizationResponseIssParameterSupported:
		return expected("authorization_response_iss_parameter_supported", "false", nil)
	case m.RegistrationEndpoint == "":
		return expected("a registration_endpoint", "none", nil)
	case m.RevocationEndpoint == "":
		return expected("a revocation_endpoint", "none", nil)
	}
	return nil
}

// document is the last successful answer below a well-known path.
func (s *story) document(mark int, suffix string, into any) (exchange, error) {
	e, ok := s.client.watch.last(mark, func(e exchange) bool {
		return strings.Contains(e.url.Path, "/.well-known/"+suffix) && e.status == http.StatusOK
	})
	if !ok {
		return e, s.expectedOfSDK("a document at /.well-known/"+suffix, "none")
	}
	s.sayExchange(e)
	if err := json.Unmarshal(e.answer, into); err != nil {
		return e, expected("a JSON document", "", err)
	}
	return e, nil
}

// expectedOfSDK is a mismatch that carries what the SDK said about connecting.
func (s *story) expectedOfSDK(want, got string) error { return expected(want, got, s.connectErr) }

// register is step 3: RFC 7591 §3.2.
func (s *story) register(context.Context) (string, error) {
	e, ok := s.client.watch.last(0, s.posted(s.server.RegistrationEndpoint))
	if !ok {
		return "", s.expectedOfSDK("a registration at "+s.server.RegistrationEndpoint, "none")
	}
	s.sayExchange(e)
	if e.status != http.StatusCreated {
		return "", s.expectedOfSDK("201 Created", fmt.Sprintf("%d %s", e.status, e.answer))
	}
	var client oauthex.ClientRegistrationResponse
	if err := json.Unmarshal(e.answer, &client); err != nil {
		return "", expected("a JSON document", "", err)
	}
	s.out.say("client_id", client.ClientID)
	s.out.say("redirect_uris", list(client.RedirectURIs))
	s.clientID = client.ClientID
	switch {
	case !slices.Equal(client.RedirectURIs, []string{s.client.callback.URI}):
		return "", expected("the redirect URI "+s.client.callback.URI, list(client.RedirectURIs), nil)
	case client.TokenEndpointAuthMethod != "none" || client.ClientSecret != "":
		return "", expected("a public client, as asked for", client.TokenEndpointAuthMethod, nil)
	}
	return "registered as a public client", nil
}

func (s *story) posted(to string) func(exchange) bool {
	return func(e exchange) bool { return e.method == http.MethodPost && e.url.String() == to }
}

// authorize is step 4: RFC 6749 §4.1.1, RFC 7636, RFC 8707, RFC 9207.
func (s *story) authorize(context.Context) (string, error) {
	if len(s.client.flows) == 0 {
		return "", s.expectedOfSDK("an authorization code at "+s.client.callback.URI, "none")
	}
	f := s.client.flows[len(s.client.flows)-1]
	s.sayFlow(f)
	q := f.authorizeURL.Query()
	switch {
	case hostPath(f.authorizeURL) != s.server.AuthorizationEndpoint:
		return "", expected("the browser at "+s.server.AuthorizationEndpoint, hostPath(f.authorizeURL), nil)
	case q.Get("resource") != s.opts.MCPURL || q.Get("code_challenge_method") != "S256":
		return "", expected("a request for the resource with an S256 challenge", fmt.Sprintf("resource=%s code_challenge_method=%s", q.Get("resource"), q.Get("code_challenge_method")), nil)
	case f.result.Iss != s.server.Issuer:
		return "", expected("iss="+s.server.Issuer+" beside the code (RFC 9207)", "iss="+f.result.Iss, nil)
	}
	return "the browser brought a code back to the client's listener", nil
}

func (s *story) sayFlow(f flow) {
	q := f.authorizeURL.Query()
	s.out.say("open", hostPath(f.authorizeURL))
	s.out.say("scope", q.Get("scope"))
	s.out.say("resource", q.Get("resource"))
	for _, did := range f.pages {
		s.out.say("browser", did)
	}
	s.out.say("redirect", s.client.callback.URI)
	s.out.say("code, iss", brief(f.result.Code)+"  "+f.result.Iss)
}

// token is step 5: RFC 6749 §4.1.3 with RFC 7636 §4.5.
func (s *story) token(context.Context) (string, error) {
	e, ok := s.client.watch.last(0, s.posted(s.server.TokenEndpoint))
	if !ok {
		return "", s.expectedOfSDK("a request at "+s.server.TokenEndpoint, "none")
	}
	s.sayExchange(e)
	if e.status != http.StatusOK || s.client.tokens == nil {
		return "", s.expectedOfSDK("tokens", fmt.Sprintf("%d %s", e.status, e.answer))
	}
	if s.connectErr != nil {
		return "", s.expectedOfSDK("an MCP session with the new token", "")
	}
	got := s.client.tokens.held()
	s.out.say("access token", fmt.Sprintf("%s  for %d seconds", named(got.AccessToken), got.ExpiresIn))
	s.out.say("refresh token", named(got.RefreshToken))
	s.out.say("granted", scopes(got))
	s.out.say("protocol", s.client.session.InitializeResult().ProtocolVersion)
	switch {
	case e.form().Get("code_verifier") == "":
		return "", expected("a PKCE verifier in the token request", "none", nil)
	case got.RefreshToken == "" || got.ExpiresIn <= 0:
		return "", expected("a refresh token and an expiry", fmt.Sprintf("expires_in %d", got.ExpiresIn), nil)
	}
	asked := strings.Fields(s.challenge.Params["scope"])
	if scope, ok := subset(asked, strings.Fields(scopes(got))); !ok {
		return "", expected("the scope "+scope+" among those granted", scopes(got), nil)
	}
	return "the session is open", nil
}
