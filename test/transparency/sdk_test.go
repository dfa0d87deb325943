package transparency_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// bearing adds the token to every request of a client.
type bearing struct{ token string }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

const watched = "test://watched"

// talkative is a server that speaks in every direction: it answers, reports, asks
// its client, and says what has changed.
func talkative() *mcp.Server {
	accept := func(context.Context, *mcp.SubscribeRequest) error { return nil }
	forget := func(context.Context, *mcp.UnsubscribeRequest) error { return nil }
	server := mcp.NewServer(&mcp.Implementation{Name: "talkative", Version: "1"},
		&mcp.ServerOptions{SubscribeHandler: accept, UnsubscribeHandler: forget, PageSize: 2})
	add := func(name string, does func(context.Context, *mcp.CallToolRequest) (string, error)) {
		server.AddTool(&mcp.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				text, err := does(ctx, r)
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, err
			})
	}
	add("echo", func(_ context.Context, r *mcp.CallToolRequest) (string, error) {
		return string(r.Params.Arguments), nil
	})
	add("report", func(ctx context.Context, r *mcp.CallToolRequest) (string, error) {
		for step := range 3 {
			err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: float64(step + 1), Total: 3,
			})
			if err != nil {
				return "", err
			}
		}
		return "reported", nil
	})
	add("ask", func(ctx context.Context, r *mcp.CallToolRequest) (string, error) {
		answer, err := r.Session.Elicit(ctx, &mcp.ElicitParams{Message: "sure?"})
		if err != nil {
			return "", err
		}
		return answer.Action, nil
	})
	add("touch", func(ctx context.Context, _ *mcp.CallToolRequest) (string, error) {
		return "touched", server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: watched})
	})
	add("grow", func(context.Context, *mcp.CallToolRequest) (string, error) {
		add("grown", func(context.Context, *mcp.CallToolRequest) (string, error) { return "", nil })
		return "grew", nil
	})
	server.AddResource(&mcp.Resource{URI: watched, Name: "watched"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: watched, Text: "text"}}}, nil
	})
	server.AddPrompt(&mcp.Prompt{Name: "prompt"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Description: "prompted"}, nil
	})
	return server
}

// unshared leaves out who may keep a list: where lists are filtered, each is its
// reader's alone, and the sidecar says so.
func unshared(c *mcp.Cacheable) { c.CacheScope = "" }

// conversation is what a client hears in a whole session.
type conversation struct {
	t     *testing.T
	heard []string
	told  chan string
}

func (c *conversation) note(step string, result any, err error) {
	c.t.Helper()
	text, encodeErr := json.Marshal(result)
	if encodeErr != nil {
		c.t.Fatal(encodeErr)
	}
	c.heard = append(c.heard, fmt.Sprintf("%s: %s, %v", step, text, err))
}

// await notes what the server says by itself.
func (c *conversation) await(step string) {
	c.t.Helper()
	c.heard = append(c.heard, step+": "+receive(c.t, c.told, step))
}

// converse goes through a session with a talkative server.
func converse(t *testing.T, transport mcp.Transport) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &conversation{t: t, told: make(chan string, 16)}
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			c.told <- "asked " + r.Params.Message
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			c.told <- fmt.Sprint("progress ", r.Params.Progress)
		},
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) {
			c.told <- "updated " + r.Params.URI
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { c.told <- "tools changed" },
	})
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	c.note("initialize", session.InitializeResult(), nil)
	c.lists(ctx, session)
	c.calls(ctx, session)
	c.note("ping", nil, session.Ping(ctx, nil))
	c.note("close", nil, session.Close())
	return c.heard
}

func (c *conversation) lists(ctx context.Context, session *mcp.ClientSession) {
	for tool, err := range session.Tools(ctx, nil) { // page by page
		c.note("a tool", tool, err)
	}
	prompts, err := session.ListPrompts(ctx, nil)
	if err == nil {
		unshared(&prompts.Cacheable)
	}
	c.note("prompts", prompts, err)
	resources, err := session.ListResources(ctx, nil)
	if err == nil {
		unshared(&resources.Cacheable)
	}
	c.note("resources", resources, err)
	templates, err := session.ListResourceTemplates(ctx, nil)
	if err == nil {
		unshared(&templates.Cacheable)
	}
	c.note("templates", templates, err)
	prompt, err := session.GetPrompt(ctx, &mcp.GetPromptParams{Name: "prompt"})
	c.note("prompt", prompt, err)
	read, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: watched})
	c.note("read", read, err)
	_, err = session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test://unknown"})
	c.note("read what is not there", nil, err)
}

func (c *conversation) calls(ctx context.Context, session *mcp.ClientSession) {
	call := func(name string, params *mcp.CallToolParams) {
		params.Name = name
		result, err := session.CallTool(ctx, params)
		c.note(name, result, err)
	}
	call("echo", &mcp.CallToolParams{Arguments: map[string]any{"text": "é\u2028"}})
	call("unknown", &mcp.CallToolParams{})
	report := &mcp.CallToolParams{}
	report.SetProgressToken("p")
	call("report", report)
	for range 3 {
		c.await("progress")
	}
	call("ask", &mcp.CallToolParams{})
	c.await("a question")
	c.note("subscribe", nil, session.Subscribe(ctx, &mcp.SubscribeParams{URI: watched}))
	call("touch", &mcp.CallToolParams{})
	c.await("a touched resource")
	call("grow", &mcp.CallToolParams{})
	c.await("a grown list")
	c.note("unsubscribe", nil, session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: watched}))
}

// compareConversations demands the same of a session straight at a new server and
// through a sidecar, and that the server's session ends with the client's.
func compareConversations(t *testing.T, serve func(*mcp.Server) (url string), through func(t *testing.T, url string) string, transport func(url string) mcp.Transport) {
	t.Helper()
	ended := func(server *mcp.Server) {
		t.Helper()
		late := time.After(patience)
		for {
			open := 0
			for range server.Sessions() {
				open++
			}
			if open == 0 {
				return
			}
			select {
			case <-late:
				t.Fatalf("waited %s in vain for the server's sessions to end", patience)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	first, second := talkative(), talkative()
	want := converse(t, transport(serve(first)))
	ended(first)
	got := converse(t, transport(through(t, serve(second))))
	ended(second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-straight +through the sidecar):\n%s", diff)
	}
	if steps := 20; len(want) < steps {
		t.Errorf("the session had %d steps, want at least %d", len(want), steps)
	}
}

func TestAClientOfTheGoSDKHearsTheSame(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: bearing{token(t)}}
	for _, opening := range openings {
		t.Run(opening.name, func(t *testing.T) {
			compareConversations(t, func(server *mcp.Server) string {
				handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
					&mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
				web := httptest.NewServer(handler)
				t.Cleanup(web.Close)
				return web.URL + "/mcp"
			}, func(t *testing.T, url string) string {
				return "http://" + protect(t, url, opening.open) + "/mcp"
			}, func(url string) mcp.Transport {
				return &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: client}
			})
		})
	}
}
