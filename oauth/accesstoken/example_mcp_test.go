package accesstoken_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/accesstoken/gosdk"
	"github.com/mcpauth/mcpauth/oauth/jwks"
)

type task struct {
	Title string `json:"title"`
}

// addTask is a tool that looks at the caller's claims.
func addTask(_ context.Context, req *mcp.CallToolRequest, in task) (*mcp.CallToolResult, any, error) {
	claims, ok := gosdk.Claims(req.Extra)
	if !ok || !claims.Scope.Has("todo:write") {
		return nil, nil, fmt.Errorf("adding tasks needs the scope todo:write")
	}
	text := fmt.Sprintf("%s will %s", claims.Subject, in.Title)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

// A server that is built with the MCP Go SDK: every call needs a valid token with
// todo:read, and a tool looks for more.
func Example_mcpServer() {
	issuer := startAuthorizationServer()
	defer issuer.Close()

	const resource = "https://todo.example.com/mcp"
	guard := &accesstoken.Guard{
		Verifier: &accesstoken.Verifier{
			Issuers: []string{issuer.issuer()}, Audiences: []string{resource}, CacheSize: 10_000,
			Keys: jwks.NewRemote(jwks.Options{URL: issuer.URL + "/keys"}),
		},
		Resource: resource,
		Scopes:   oauth.NewScopeSet("todo:read"),
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "todo", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "add_task"}, addTask)
	tools := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)

	mux := http.NewServeMux()
	mux.Handle("/mcp", guard.RequireScopes("todo:read")(gosdk.Handler(guard, tools)))
	mux.Handle(guard.MetadataPath(), guard.MetadataHandler())
	running := httptest.NewServer(mux)
	defer running.Close()

	use := func(scopes ...string) {
		token := issuer.issue(resource, scopes...)
		client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil)
		session, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{
			Endpoint: running.URL + "/mcp", HTTPClient: &http.Client{Transport: sending(token)},
			DisableStandaloneSSE: true, MaxRetries: -1,
		}, nil)
		if err != nil {
			fmt.Println("no session")
			return
		}
		defer func() { _ = session.Close() }()
		result, err := session.CallTool(context.Background(), &mcp.CallToolParams{
			Name: "add_task", Arguments: task{"water the plants"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Content[0].(*mcp.TextContent).Text)
	}
	use("mail:read")
	use("todo:read")
	use("todo:read", "todo:write")
	// Output:
	// no session
	// adding tasks needs the scope todo:write
	// alice will water the plants
}

// sending is a client's transport with an access token.
type sending string

func (s sending) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(s))
	return http.DefaultTransport.RoundTrip(r)
}
