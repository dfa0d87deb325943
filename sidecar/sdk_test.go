package sidecar

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/policy"
)

// sdkServer is an MCP server that knows no OAuth.
func sdkServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	type none struct{}
	type who struct {
		Subject string `json:"subject"`
	}
	answer := func(ctx context.Context, req *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, who, error) {
		if progress := req.Params.GetProgressToken(); progress != nil {
			for i := range 3 {
				err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: progress, Progress: float64(i + 1), Total: 3})
				if err != nil {
					return nil, who{}, err
				}
			}
		}
		return nil, who{req.Extra.Header.Get(HeaderSubject)}, nil
	}
	for _, name := range []string{"get_me", "purge"} {
		mcp.AddTool(server, &mcp.Tool{Name: name, Description: "says who calls"}, answer)
	}
	return server
}

// bearing adds the token to every request of a client.
type bearing struct{ token string }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func TestSDKClientsOfEveryRevisionWorkThroughTheSidecar(t *testing.T) {
	for _, stateless := range []bool{false, true} {
		for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
			name := version + " stateful"
			if stateless {
				name = version + " stateless"
			}
			t.Run(name, func(t *testing.T) {
				server := sdkServer()
				origin := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
					&mcp.StreamableHTTPOptions{Stateless: stateless}))
				t.Cleanup(origin.Close)
				p := todoPolicy()
				p.Upstream = policy.Upstream{URL: origin.URL}
				b := newBench(t, p)
				useWithSDK(t, b, version)
			})
		}
	}
}

func useWithSDK(t *testing.T, b *bench, version string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	progress := make(chan float64, 8)
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, &mcp.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) { progress <- req.Params.Progress },
	})
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: b.url + testPath, MaxRetries: -1,
		HTTPClient: &http.Client{Transport: bearing{token(t, "todo:read")}},
	}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connect: %v\n%s", err, b.logs)
	}
	defer func() { _ = session.Close() }()

	tools, err := session.ListTools(ctx, nil)
	if err != nil || len(tools.Tools) != 2 {
		t.Fatalf("tools/list: %v, %v", tools, err)
	}
	params := &mcp.CallToolParams{Name: "get_me", Arguments: map[string]any{}}
	params.SetProgressToken("p")
	result, err := session.CallTool(ctx, params)
	if err != nil {
		t.Fatalf("tools/call: %v\n%s", err, b.audits)
	}
	if text, ok := result.Content[0].(*mcp.TextContent); !ok || !strings.Contains(text.Text, `"alice"`) {
		t.Errorf("the server was told another caller: %+v", result.Content[0])
	}
	for want := 1.0; want <= 3; want++ {
		select {
		case got := <-progress:
			if got != want {
				t.Errorf("progress %v, want %v", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("waited %s in vain for progress %v", patience, want)
		}
	}
	if result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "purge", Arguments: map[string]any{}}); err == nil {
		t.Errorf("the forbidden tool answered %+v", result)
	}
}
