package tasks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// asUser adds the identity headers that a sidecar would add.
type asUser struct{ subject, email string }

func (u asUser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(tasks.HeaderSubject, u.subject)
	r.Header.Set(tasks.HeaderEmail, u.email)
	return http.DefaultTransport.RoundTrip(r)
}

// connect opens a session with the SDK's own client, in the named revision.
func connect(t *testing.T, url, revision string, transport http.RoundTripper) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint:   url,
		HTTPClient: &http.Client{Transport: transport, Timeout: 30 * time.Second},
	}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// call returns a tool's structured output, or the error text the tool reported.
func call[Out any](t *testing.T, session *mcp.ClientSession, tool string, args any) (Out, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	var out Out
	if result.IsError {
		return out, result.Content[0].(*mcp.TextContent).Text
	}
	data, err := json.Marshal(result.StructuredContent)
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%s answered %s: %v", tool, data, err)
	}
	return out, ""
}

func newServer(t *testing.T) string {
	t.Helper()
	noon := func() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }
	server := httptest.NewServer(tasks.NewServer(&tasks.Store{Now: noon}))
	t.Cleanup(server.Close)
	return server.URL
}

var revisions = []string{"2025-06-18", "2025-11-25", "2026-07-28"}

func TestClientsOfEveryRevisionCreateReadListAndDelete(t *testing.T) {
	for _, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			session := connect(t, newServer(t), revision, http.DefaultTransport)
			if got := session.InitializeResult().ProtocolVersion; got != revision {
				t.Fatalf("the session speaks %s, want %s", got, revision)
			}
			want := tasks.Task{ID: "1", Title: "water the plants", Created: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)}

			created, _ := call[tasks.Task](t, session, "create_task", tasks.CreateInput{Title: want.Title})
			if diff := cmp.Diff(want, created); diff != "" {
				t.Errorf("create_task (-want +got):\n%s", diff)
			}
			got, _ := call[tasks.Task](t, session, "get_task", tasks.IDInput{ID: "1"})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("get_task (-want +got):\n%s", diff)
			}
			listed, _ := call[tasks.ListOutput](t, session, "list_tasks", tasks.ListInput{})
			if diff := cmp.Diff([]tasks.Task{want}, listed.Tasks); diff != "" {
				t.Errorf("list_tasks (-want +got):\n%s", diff)
			}
			deleted, _ := call[tasks.Task](t, session, "delete_task", tasks.IDInput{ID: "1"})
			if diff := cmp.Diff(want, deleted); diff != "" {
				t.Errorf("delete_task (-want +got):\n%s", diff)
			}
			listed, _ = call[tasks.ListOutput](t, session, "list_tasks", tasks.ListInput{})
			if len(listed.Tasks) != 0 {
				t.Errorf("list_tasks after delete_task: %v, want none", listed.Tasks)
			}
		})
	}
}

func TestItOffersFourToolsWithTypedSchemas(t *testing.T) {
	session := connect(t, newServer(t), "", http.DefaultTransport)
	result, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range result.Tools {
		names = append(names, tool.Name)
		if tool.InputSchema == nil || tool.OutputSchema == nil {
			t.Errorf("%s has no input or output schema", tool.Name)
		}
	}
	if diff := cmp.Diff([]string{"create_task", "delete_task", "get_task", "list_tasks"}, names); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
}

func TestATaskBelongsToTheUserWhomTheHeadersName(t *testing.T) {
	url := newServer(t)
	for _, revision := range revisions {
		for _, user := range []asUser{{"u-1", "alice@example.com"}, {"u-2", "bob@example.com"}} {
			session := connect(t, url, revision, user)
			task, _ := call[tasks.Task](t, session, "create_task", tasks.CreateInput{Title: "mine"})
			want := tasks.Owner{Subject: user.subject, Email: user.email}
			if diff := cmp.Diff(want, task.Owner); diff != "" {
				t.Errorf("%s: owner (-want +got):\n%s", revision, diff)
			}
		}
	}
}

func TestBadInputIsReportedAndChangesNothing(t *testing.T) {
	tests := []struct {
		name, tool string
		args       any
		want       string
	}{
		{"an unknown id to read", "get_task", tasks.IDInput{ID: "7"}, tasks.ErrNotFound.Error()},
		{"an unknown id to delete", "delete_task", tasks.IDInput{ID: "7"}, tasks.ErrNotFound.Error()},
		{"an empty title", "create_task", tasks.CreateInput{}, tasks.ErrTitle.Error()},
		{"a long title", "create_task", tasks.CreateInput{Title: strings.Repeat("x", tasks.MaxTitle+1)}, tasks.ErrTitle.Error()},
		{"a title that is a number", "create_task", map[string]any{"title": 7}, "title"},
	}
	session := connect(t, newServer(t), "", http.DefaultTransport)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, text := call[tasks.Task](t, session, test.tool, test.args); !strings.Contains(text, test.want) {
				t.Errorf("%s reported %q, want it to say %q", test.tool, text, test.want)
			}
		})
	}
	if listed, _ := call[tasks.ListOutput](t, session, "list_tasks", nil); len(listed.Tasks) != 0 {
		t.Errorf("tasks appeared: %v", listed.Tasks)
	}
}

func TestAFullStoreRefusesUntilATaskIsDeleted(t *testing.T) {
	var store tasks.Store
	for i := range tasks.MaxTasks {
		if _, err := store.Create(fmt.Sprint("task ", i), tasks.Owner{}); err != nil {
			t.Fatalf("task %d: %v", i, err)
		}
	}
	if _, err := store.Create("one more", tasks.Owner{}); !errors.Is(err, tasks.ErrFull) {
		t.Fatalf("a task beyond the limit: %v, want ErrFull", err)
	}
	if _, err := store.Delete("1"); err != nil {
		t.Fatal(err)
	}
	task, err := store.Create("one more", tasks.Owner{})
	if err != nil || task.ID != fmt.Sprint(tasks.MaxTasks+1) {
		t.Errorf("after deleting one: %+v, %v; want a new id, never a used one", task, err)
	}
}
