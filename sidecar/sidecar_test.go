package sidecar

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

const (
	testResource = "https://mcp.example.com/public/mcp"
	testIssuer   = "https://auth.example.com/resources/apps-todo"
	testPath     = "/public/mcp"
)

// ring is made once: RSA keys take long.
var ring = sync.OnceValue(func() *keyring.Ring {
	r, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		panic(err)
	}
	return r
})

// upstream is an MCP server that remembers what reaches it.
type upstream struct {
	mu      sync.Mutex
	seen    []*http.Request
	bodies  []string
	handler http.HandlerFunc
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.seen, u.bodies = append(u.seen, r), append(u.bodies, string(body))
	u.mu.Unlock()
	if u.handler != nil {
		u.handler(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
}

// last returns the newest request and its body; it fails the test if none came.
func (u *upstream) last(t *testing.T) (*http.Request, string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen) == 0 {
		t.Fatal("nothing reached the MCP server")
	}
	return u.seen[len(u.seen)-1], u.bodies[len(u.bodies)-1]
}

// untouched fails the test if anything reached the MCP server.
func (u *upstream) untouched(t *testing.T) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.seen {
		t.Errorf("the MCP server saw %s %s", r.Method, r.RequestURI)
	}
}

// bench is a sidecar that listens, in front of an upstream.
type bench struct {
	*upstream
	sidecar *Sidecar
	server  *httptest.Server
	url     string // of the sidecar, without a path
	policy  *policy.Policy
	audits  *lockedBuffer
	logs    *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func todoPolicy() *policy.Policy {
	return &policy.Policy{
		Version: policy.Version, Server: "apps/todo",
		Resource: testResource, ResourceName: "Task list",
		Issuers: []string{testIssuer}, Audiences: []string{testResource, "apps-todo"},
		JWKSURL: "http://as.test/keys",
		Scopes: []policy.Scope{
			{Name: "todo:read", Default: true, Tools: []string{"list_*", "get_*"}, Resources: []string{"todo://*"}},
			{Name: "todo:write", Tools: []string{"create_task", "delete_task"}},
			{Name: "todo:admin", Tools: []string{"purge"}, Prompts: []string{"*"}},
		},
	}
}

// protect starts an upstream and a sidecar in front of it.
func protect(t *testing.T, change ...func(*policy.Policy)) *bench {
	t.Helper()
	u := &upstream{}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	p := todoPolicy()
	p.Upstream.URL = server.URL + "/mcp"
	for _, c := range change {
		c(p)
	}
	b := newBench(t, p)
	b.upstream = u
	return b
}

func newBench(t *testing.T, p *policy.Policy) *bench {
	t.Helper()
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	keys, err := jwks.Parse(encodeJSON(t, ring().JWKS()))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{policy: p, audits: &lockedBuffer{}, logs: &lockedBuffer{}}
	b.sidecar = New(Options{
		Policy: func() *policy.Policy { return p }, Keys: keys,
		Audit:  audit.Log{Sink: audit.NewLines(b.audits)},
		Logger: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	server := httptest.NewServer(b.sidecar)
	t.Cleanup(server.Close)
	b.server, b.url = server, server.URL
	return b
}

var tokens atomic.Int64

// token signs a valid token with the scopes, changed as the test wishes.
func token(t *testing.T, scopes string, change ...func(*accesstoken.Claims)) string {
	t.Helper()
	scope, err := oauth.ParseScope(scopes)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := &accesstoken.Claims{
		Issuer: testIssuer, Subject: "alice", Audience: []string{testResource, "apps-todo"},
		ClientID: "agent", Scope: scope, IssuedAt: now.Add(-time.Second), Expiry: now.Add(time.Hour),
		ID: "jti-" + time.Duration(tokens.Add(1)).String(), GrantID: "grant-1",
		Email: "alice@example.com", Organization: "example",
	}
	for _, c := range change {
		c(claims)
	}
	text, err := accesstoken.Sign(claims, ring().Active())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// call is a tools/call body.
func call(tool string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":{"secret":"hunter2"}}}`
}

// request is a POST to the resource as a client makes it.
func (b *bench) request(t *testing.T, bearer, body string, change ...func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+testPath, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// reply is a response that has been read.
type reply struct {
	*http.Response
	body string
}

func (r *reply) challenge() string { return r.Header.Get("WWW-Authenticate") }

func (b *bench) send(t *testing.T, r *http.Request) *reply {
	t.Helper()
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &reply{res, string(body)}
}

func (b *bench) post(t *testing.T, bearer, body string, change ...func(*http.Request)) *reply {
	t.Helper()
	return b.send(t, b.request(t, bearer, body, change...))
}

// do sends a request without a body.
func (b *bench) do(t *testing.T, method, path, bearer string, change ...func(*http.Request)) *reply {
	t.Helper()
	return b.post(t, bearer, "", append([]func(*http.Request){func(r *http.Request) {
		made, err := http.NewRequestWithContext(t.Context(), method, b.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		made.Header = r.Header
		made.Header.Del("Content-Type")
		*r = *made
	}}, change...)...)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func wantStatus(t *testing.T, got *reply, want int) {
	t.Helper()
	if got.StatusCode != want {
		t.Fatalf("status %d, want %d\n%s\n%s", got.StatusCode, want, got.challenge(), got.body)
	}
}

// stop waits until the sidecar has written what it has to say of every request:
// the response is on its way before the audit.
func stop(t *testing.T, b *bench) {
	t.Helper()
	b.server.Close()
}
