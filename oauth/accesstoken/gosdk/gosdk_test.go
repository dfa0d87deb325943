package gosdk_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/accesstoken/gosdk"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// patience is how long a test waits for what should come at once.
const patience = 10 * time.Second

const (
	issuer   = "https://auth.example.com/resources/apps-todo"
	resource = "https://mcp.example.com/mcp"
)

var ring = sync.OnceValue(func() *keyring.Ring {
	made, err := keyring.New(keyring.ES256, time.Now())
	if err != nil {
		panic(err)
	}
	return made
})

// sign makes a token of the user with the scopes.
func sign(t *testing.T, user, scopes string) string {
	t.Helper()
	scope, err := oauth.ParseScope(scopes)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := accesstoken.Sign(&accesstoken.Claims{
		Issuer: issuer, Subject: user, Audience: []string{resource}, ClientID: "agent", Scope: scope,
		IssuedAt: time.Now(), Expiry: time.Now().Add(time.Hour), ID: "token-of-" + user,
	}, ring().Active())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newGuard(t *testing.T) *accesstoken.Guard {
	t.Helper()
	document, err := json.Marshal(ring().JWKS())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwks.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return &accesstoken.Guard{
		Verifier: &accesstoken.Verifier{Issuers: []string{issuer}, Audiences: []string{resource}, Keys: keys, CacheSize: 100},
		Resource: resource,
	}
}

// seen is what a tool was told of its caller.
type seen struct {
	Subject       string `json:"subject"`
	Writes        bool   `json:"writes"`
	Authorization string `json:"authorization"`
}

// serve runs a server with one tool that says who calls.
func serve(t *testing.T, guard *accesstoken.Guard, stateless bool) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "todo", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, seen, error) {
		claims, ok := gosdk.Claims(req.Extra)
		if !ok {
			return nil, seen{}, nil
		}
		return nil, seen{claims.Subject, claims.Scope.Has("todo:write"), strings.Join(req.Extra.Header["Authorization"], ",")}, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: stateless})
	running := httptest.NewServer(gosdk.Handler(guard, handler))
	t.Cleanup(running.Close)
	return running.URL
}

// bearing sends the token that it holds at the moment.
type bearing struct{ token *string }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+*b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func connect(t *testing.T, url string, token *string) (context.Context, *mcp.ClientSession) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, MaxRetries: -1, HTTPClient: &http.Client{Transport: bearing{token}}, DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return ctx, session
}

func whoami(ctx context.Context, t *testing.T, session *mcp.ClientSession) seen {
	t.Helper()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "whoami", Arguments: map[string]any{}})
	if err != nil {
		t.Fatalf("call the tool: %v", err)
	}
	var got seen
	if err := json.Unmarshal([]byte(result.Content[0].(*mcp.TextContent).Text), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAToolSeesTheClaimsOfEachCallAndNoToken(t *testing.T) {
	for name, stateless := range map[string]bool{"stateful": false, "stateless": true} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, "alice", "todo:read")
			ctx, session := connect(t, serve(t, newGuard(t), stateless), &token)
			if got, want := whoami(ctx, t, session), (seen{Subject: "alice"}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			// The client steps up within its session.
			token = sign(t, "alice", "todo:read todo:write")
			if got, want := whoami(ctx, t, session), (seen{Subject: "alice", Writes: true}); got != want {
				t.Errorf("with more scopes: got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAttack_ASessionServesNobodyButWhoBeganIt(t *testing.T) {
	token := sign(t, "alice", "todo:read")
	url := serve(t, newGuard(t), false)
	_, session := connect(t, url, &token)
	for user, want := range map[string]int{"mallory": http.StatusForbidden, "alice": http.StatusOK} {
		if res := list(t, url, "Bearer "+sign(t, user, "todo:read"), session.ID()); res.StatusCode != want {
			t.Errorf("%s got %d in alice's session, want %d", user, res.StatusCode, want)
		}
	}
}

func TestNobodyGetsInWithWhatTheHandlerTellsTheSDK(t *testing.T) {
	url := serve(t, newGuard(t), true)
	for _, authorization := range []string{"", "Bearer verified", "Bearer x"} {
		res := list(t, url, authorization, "")
		if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: got %d %v", authorization, res.StatusCode, res.Header)
		}
	}
}

// list asks for the tools without a client of the SDK's.
func list(t *testing.T, url, authorization, session string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"jsonrpc":"2.0","id":9,"method":"tools/list"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestThereAreNoClaimsWithoutAHandler(t *testing.T) {
	for _, extra := range []*mcp.RequestExtra{nil, {}} {
		if claims, ok := gosdk.Claims(extra); ok {
			t.Errorf("got %+v", claims)
		}
	}
}
