package accesstoken_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// app is a handler that notes the last request that it got.
type app struct{ got *http.Request }

func (a *app) ServeHTTP(_ http.ResponseWriter, r *http.Request) { a.got = r }

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAHandlerSeesTheClaimsAndNotTheToken(t *testing.T) {
	g, next := newGuarded(t), &app{}
	raw := sign(t, g.ring, bound)
	r := post(proving(raw, proof(t, holder(), raw, nil)), with("Mcp-Session-Id", "s"))
	if w := serve(g.Handler(next), r); w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	claims, ok := accesstoken.FromContext(next.got.Context())
	if !ok || claims.Subject != "people|alice" {
		t.Errorf("the context has %+v, %t", claims, ok)
	}
	want := http.Header{"Mcp-Session-Id": {"s"}}
	if diff := cmp.Diff(want, next.got.Header); diff != "" {
		t.Errorf("the handler's header (-want +got):\n%s", diff)
	}
	if r.Header.Get("Authorization") == "" || r.Header.Get("DPoP") == "" {
		t.Error("whoever logs the request around the guard lost its header")
	}
	if _, ok := accesstoken.FromContext(t.Context()); ok {
		t.Error("there are claims where no guard was")
	}
}

func TestARefusedRequestDoesNotReachTheHandler(t *testing.T) {
	type body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	for _, tt := range []struct {
		name    string
		spoil   func(*guarded)
		request func(*http.Request)
		status  int
		want    body
		retry   string
	}{
		{"no token", nil, func(*http.Request) {}, 401, body{"", "this server needs an access token"}, ""},
		{"an invalid one", nil, bearing("x"), 401, body{"invalid_token", "the access token is invalid"}, ""},
		{"two headers", nil, with("Authorization", "Bearer a", "Bearer b"), 400, body{"invalid_request", "there is more than one Authorization header"}, ""},
		{"no keys", func(g *guarded) { g.keys.to(unreachable{}) }, nil, 503, body{"temporarily_unavailable", "the authorization server's keys are not known at the moment"}, "5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, next := newGuarded(t), &app{}
			if tt.spoil != nil {
				tt.spoil(g)
			}
			if tt.request == nil {
				tt.request = bearing(sign(t, g.ring))
			}
			w := serve(g.Handler(next), post(tt.request))
			var got body
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if diff := cmp.Diff(tt.want, got); w.Code != tt.status || diff != "" {
				t.Errorf("got %d, want %d; the body (-want +got):\n%s", w.Code, tt.status, diff)
			}
			if next.got != nil {
				t.Error("the handler was called")
			}
			h := w.Header()
			if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" || h.Get("Retry-After") != tt.retry {
				t.Errorf("the header is %v", h)
			}
			if challenged := h.Get("WWW-Authenticate") != ""; challenged != (tt.status != http.StatusServiceUnavailable) {
				t.Errorf("the header is %v", h)
			}
		})
	}
}

func TestARouteMayNeedMoreThanAValidToken(t *testing.T) {
	g, next := newGuarded(t), &app{}
	reader := sign(t, g.ring, func(c *accesstoken.Claims) { c.Scope = oauth.NewScopeSet("todo:read") })
	writer := sign(t, g.ring)
	route := g.RequireScopes("todo:read", "todo:write")(next)
	for name, h := range map[string]http.Handler{"alone": route, "behind the guard": g.Handler(route)} {
		next.got = nil
		w := serve(h, post(bearing(reader)))
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != http.StatusForbidden || next.got != nil || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.HasSuffix(challenge, `scope="todo:read todo:write"`) {
			t.Errorf("%s, a reader: %d %s", name, w.Code, challenge)
		}
		if w := serve(h, post(bearing(writer))); w.Code != http.StatusOK || next.got == nil {
			t.Errorf("%s, a writer: %d %s", name, w.Code, w.Body)
		}
		if w := serve(h, post()); w.Code != http.StatusUnauthorized {
			t.Errorf("%s, nobody: %d", name, w.Code)
		}
	}
}

// A proof is taken once: a route behind its own guard must not ask for it again.
func TestARequestIsAuthenticatedOnceByOneGuard(t *testing.T) {
	g, next := newGuarded(t), &app{}
	raw := sign(t, g.ring, bound)
	h := g.Handler(g.RequireScopes("todo:read")(g.Handler(next)))
	if w := serve(h, post(proving(raw, proof(t, holder(), raw, nil)))); w.Code != http.StatusOK || next.got == nil {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestAttack_WhatOneResourceAcceptedIsNothingToAnother(t *testing.T) {
	g, next := newGuarded(t), &app{}
	other := newGuarded(t, func(o *accesstoken.Guard) { o.Verifier.Audiences = []string{"https://other.example/mcp"} })
	for name, inner := range map[string]http.Handler{"a handler": other.Handler(next), "a route": other.RequireScopes()(next)} {
		if w := serve(g.Handler(inner), post(bearing(sign(t, g.ring)))); w.Code != http.StatusUnauthorized || next.got != nil {
			t.Errorf("%s: got %d", name, w.Code)
		}
	}
}

func TestTheMetadataAreServedToEverybody(t *testing.T) {
	g := newGuarded(t, func(g *accesstoken.Guard) {
		g.Name, g.ScopesSupported = "Todo", oauth.NewScopeSet("todo:read", "todo:write", "offline_access")
	})
	mux := http.NewServeMux()
	mux.Handle(g.MetadataPath(), g.MetadataHandler())
	ask := func(method string) *httptest.ResponseRecorder {
		return serve(mux, httptest.NewRequest(method, "/.well-known/oauth-protected-resource/public/mcp", nil))
	}
	got := ask(http.MethodGet)
	var document map[string]any
	if err := json.Unmarshal(got.Body.Bytes(), &document); err != nil {
		t.Fatalf("%v in %s", err, got.Body)
	}
	want := map[string]any{
		"resource": resource, "authorization_servers": []any{issuer}, "resource_name": "Todo",
		"scopes_supported": []any{"todo:read", "todo:write"}, "bearer_methods_supported": []any{"header"},
	}
	if diff := cmp.Diff(want, document); diff != "" {
		t.Errorf("the document (-want +got):\n%s", diff)
	}
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405, "DELETE": 405} {
		w := ask(method)
		if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
		if cached := w.Header().Get("Cache-Control") == "public, max-age=60"; cached != (status == 200) {
			t.Errorf("%s: %v", method, w.Header())
		}
	}
}

func TestTheMetadataSayWhatAGuardDemands(t *testing.T) {
	g := newGuarded(t, func(g *accesstoken.Guard) {
		g.RequireDPoP, g.AuthorizationServers = true, []string{"https://auth.example.com"}
	})
	want := oauth.ResourceMetadata{
		Resource: resource, AuthorizationServers: []string{"https://auth.example.com"}, ScopesSupported: []string{"todo:read"},
		BearerMethodsSupported: []string{"header"}, DPoPBoundAccessTokensRequired: true, DPoPSigningAlgValuesSupported: dpop.Algorithms(),
	}
	if diff := cmp.Diff(want, g.Metadata()); diff != "" {
		t.Errorf("the metadata (-want +got):\n%s", diff)
	}
}

func TestMetadataAreWhereClientsLookForThem(t *testing.T) {
	for resource, want := range map[string]string{
		"https://mcp.example.com/public/mcp": "/.well-known/oauth-protected-resource/public/mcp",
		"https://mcp.example.com":            "/.well-known/oauth-protected-resource",
		"https://mcp.example.com/":           "/.well-known/oauth-protected-resource",
		"https://mcp.example.com/mcp/":       "/.well-known/oauth-protected-resource/mcp",
	} {
		if got := (&accesstoken.Guard{Resource: resource}).MetadataPath(); got != want {
			t.Errorf("%s: got %s, want %s", resource, got, want)
		}
	}
}
