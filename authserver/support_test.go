package authserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const form = "application/x-www-form-urlencoded"

// changed is url.Values with one parameter; no value removes it.
func changed(name string, values ...string) url.Values { return url.Values{name: values} }

// signedIn is a registered public app with the tokens of a first exchange.
func signedIn(t *testing.T, server *authservertest.Server) (authservertest.App, map[string]any) {
	t.Helper()
	app := server.Register(t, nil)
	status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	return app, tokens
}

func wantStatus(t *testing.T, got, want int, answer any) {
	t.Helper()
	if got != want {
		t.Fatalf("status: got %d, want %d: %v", got, want, answer)
	}
}

// wantError checks an OAuth error answer that explains itself.
func wantError(t *testing.T, status int, answer map[string]any, wantStatus int, code oauth.ErrorCode) {
	t.Helper()
	if status != wantStatus || answer["error"] != string(code) {
		t.Fatalf("got %d %v, want %d %s", status, answer, wantStatus, code)
	}
	description := text(answer, "error_description")
	if description == "" {
		t.Errorf("%s comes without a description", code)
	}
	if strings.ContainsFunc(description, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }) {
		t.Errorf("the description holds characters that RFC 6749 forbids: %s", description)
	}
	if answer["access_token"] != nil || answer["refresh_token"] != nil {
		t.Errorf("a refusal carries a token")
	}
}

// wantUnchanged fails if the store has been written since before.
func wantUnchanged(t *testing.T, server *authservertest.Server, before authservertest.Writes) {
	t.Helper()
	if diff := cmp.Diff(before, server.Store.Writes()); diff != "" {
		t.Errorf("the store changed (-before +after):\n%s", diff)
	}
}

// verify reads an access token as the sample resource's own server would.
func verify(t *testing.T, server *authservertest.Server, tokens map[string]any) *accesstoken.Claims {
	t.Helper()
	verifier := accesstoken.Verifier{
		Issuers:   []string{server.Issuer, server.ResourceIssuer()},
		Audiences: []string{authservertest.ResourceURL}, Keys: published{server.Ring}, Now: server.Now,
	}
	claims, err := verifier.Verify(t.Context(), text(tokens, "access_token"))
	if err != nil {
		t.Fatalf("verify the access token: %v", err)
	}
	return claims
}

type published struct{ ring *keyring.Ring }

func (p published) Key(_ context.Context, kid string) (jose.JSONWebKey, error) {
	set := p.ring.JWKS()
	for _, key := range set.Key(kid) {
		return key, nil
	}
	return jose.JSONWebKey{}, accesstoken.ErrUnknownKey
}

func text(answer map[string]any, name string) string {
	value, _ := answer[name].(string)
	return value
}

// secondResource adds a resource beside the sample's.
func secondResource(c *catalog.Content) {
	other := *c.Resources[0]
	other.ID, other.URL, other.DisplayName = "apps-mail", "http://127.0.0.1:9402/mcp", "Mail"
	other.Scopes = []*catalog.Scope{{Name: "mail:send", Description: "Send mail", Default: true}}
	c.Resources = append(c.Resources, &other)
}

// staffOnly limits todo:write to the group staff.
func staffOnly(c *catalog.Content) { c.Resources[0].Scopes[1].Groups = []string{"staff"} }

// basic sends a form with HTTP Basic credentials as they are given.
func basic(t *testing.T, server *authservertest.Server, target, id, secret string, values url.Values) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", form)
	request.SetBasicAuth(id, secret)
	return server.Do(t, request)
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
