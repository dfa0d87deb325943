package transparency_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
)

// Where a server of HTTP with SSE (MCP 2024-11-05) has its stream, and where it
// takes messages, as the SDKs of Python and TypeScript have them by default.
const (
	streamPath  = "/sse"
	messagePath = "/messages"
)

// legacyServer serves HTTP with SSE and returns the URL of its stream.
func legacyServer(t *testing.T, server *mcp.Server) string {
	t.Helper()
	handler := mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return server }, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+streamPath, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = messagePath // by which the handler tells clients where to post
		handler.ServeHTTP(w, r)
	})
	mux.Handle("POST "+messagePath, handler)
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return web.URL + streamPath
}

// protectLegacy runs a sidecar in front of such a server, and returns the URL of
// its stream.
func protectLegacy(t *testing.T, url string, open func(*policy.Policy)) string {
	t.Helper()
	return "http://" + protect(t, url, open, func(p *policy.Policy) {
		p.Resource = strings.TrimSuffix(resource, "/mcp") + streamPath
		p.Upstream.MessagePath = messagePath
	}) + streamPath
}

func TestAClientOfTheOldTransportHearsTheSame(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: bearing{token(t)}}
	for _, opening := range openings {
		t.Run(opening.name, func(t *testing.T) {
			compareConversations(t, func(server *mcp.Server) string {
				return legacyServer(t, server)
			}, func(t *testing.T, url string) string {
				return protectLegacy(t, url, opening.open)
			}, func(url string) mcp.Transport {
				return &mcp.SSEClientTransport{Endpoint: url, HTTPClient: client}
			})
		})
	}
}

// posts is a client's transport that keeps the answers to what was posted.
type posts struct {
	next http.RoundTripper

	mu      sync.Mutex
	url     string
	refused []heard
}

func (p *posts) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := p.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodPost {
		return res, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.url = r.URL.RequestURI()
	if res.StatusCode >= http.StatusBadRequest {
		p.refused = append(p.refused, heard{Status: res.StatusCode, Header: res.Header})
	}
	return res, nil
}

func TestTheOldTransportIsUnderTheSamePolicy(t *testing.T) {
	t.Parallel()
	server := talkative()
	web := legacyServer(t, server)
	url := protectLegacy(t, web, func(p *policy.Policy) {
		p.Scopes = []policy.Scope{
			{Name: scopeAll, Default: true, Tools: []string{"echo"}},
			{Name: "grow", Tools: []string{"grow"}},
		}
		p.FilterLists = true
	})
	recorded := &posts{next: bearing{token(t)}}
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.SSEClientTransport{Endpoint: url, HTTPClient: &http.Client{Transport: recorded}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()

	var listed []string
	for tool, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, tool.Name)
	}
	if diff := cmp.Diff([]string{"echo"}, listed); diff != "" {
		t.Errorf("tools in the list (-want +got):\n%s", diff)
	}
	if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo"}); err != nil {
		t.Errorf("a tool that the scope opens: %v", err)
	}
	if result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "grow"}); err == nil {
		t.Errorf("a tool that the scope does not open: %+v", result)
	}
	recorded.mu.Lock()
	refused, posted := slices.Clone(recorded.refused), recorded.url
	recorded.mu.Unlock()
	if len(refused) != 1 || refused[0].Status != http.StatusForbidden {
		t.Fatalf("refused: %+v, want one 403", refused)
	}
	challenge := refused[0].Header.Get("Www-Authenticate")
	for _, part := range []string{`error="` + string(oauth.InsufficientScope) + `"`, `scope="grow"`, "resource_metadata="} {
		if !strings.Contains(challenge, part) {
			t.Errorf("the challenge lacks %s: %s", part, challenge)
		}
	}
	wantChallenge(t, url, posted)
}

// wantChallenge makes sure that nobody posts to a session without a token.
func wantChallenge(t *testing.T, stream, posted string) {
	t.Helper()
	url := strings.TrimSuffix(stream, streamPath) + posted
	res, err := http.Post(url, "application/json", strings.NewReader(message("tools/list")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("Www-Authenticate") == "" {
		t.Errorf("a message without a token: %s, %q", res.Status, res.Header.Get("Www-Authenticate"))
	}
}
