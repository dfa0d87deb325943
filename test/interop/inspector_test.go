package interop_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/test/clients"
)

// inspector is the command line of the MCP Inspector, with one user's folder.
type inspector struct {
	node     clients.Node
	opener   *opener
	home     string
	callback string
}

// The first run signs in for reading, the second does with what is stored, the
// third is refused and asks for more.
func testInspector(t *testing.T, node clients.Node, server *protected) {
	i := &inspector{
		node: node, opener: newOpener(t), home: t.TempDir(),
		callback: fmt.Sprintf("http://%s/oauth/callback", freeAddress(t)),
	}
	i.configure(t, server.url)
	first := i.start(t, "--method", "tools/list")
	i.opener.signIn(t, first)
	i.expectTools(t, first)

	i.expectTools(t, i.start(t, "--method", "tools/list", "--stored-auth-only"))
	i.opener.expectNoPage(t)

	i.createTask(t, server)
}

// createTask takes the step up: a token for reading is refused, the user agrees
// to more, and the call is repeated.
func (i *inspector) createTask(t *testing.T, server *protected) {
	t.Helper()
	call := i.start(t, "--method", "tools/call", "--tool-name", "create_task", "--tool-arg", "title=water the plants")
	call.write(t, "y") // to "Proceed with step-up authorization?"
	i.opener.signIn(t, call)
	var created struct {
		StructuredContent struct {
			Title string
			Owner struct{ Email string }
		}
	}
	i.result(t, call, &created)
	if got := created.StructuredContent; got.Title != "water the plants" || got.Owner.Email != "alice@example.com" {
		t.Errorf("create_task was answered with %+v", got)
	}
	if kept := server.tasks.List(); len(kept) != 1 {
		t.Errorf("the server keeps %d tasks, want the one that was created", len(kept))
	}
	if said := call.stderr.String(); !strings.Contains(said, "needs additional scope: todo:write") {
		t.Errorf("it was not told which scope is missing: %s", redact(said))
	}
}

// configure writes the session's file: a server, and that reading is all that is
// wanted of it.
func (i *inspector) configure(t *testing.T, url string) {
	t.Helper()
	entry := map[string]any{"type": "streamable-http", "url": url, "oauth": map[string]any{"scopes": "todo:read"}}
	session := encode(t, map[string]any{"mcpServers": map[string]any{"todo": entry}})
	if err := os.WriteFile(i.configuration(), []byte(session), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (i *inspector) configuration() string { return filepath.Join(i.home, "session.json") }

// start runs it. Without a terminal it opens a browser only where it is told
// that it may; with a keychain it would keep its secrets there.
func (i *inspector) start(t *testing.T, args ...string) *program {
	t.Helper()
	environment := i.opener.environment(i.home, "MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=file")
	line := []string{"--cli", "--config", i.configuration(), "--server", "todo", "--callback-url", i.callback, "--format", "json"}
	return start(t, environment, i.node.Command(clients.Inspector, append(line, args...)...)...)
}

func (i *inspector) expectTools(t *testing.T, p *program) {
	t.Helper()
	var list toolList
	i.result(t, p, &list)
	list.expect(t, "list_tasks")
}

// result reads what a run has printed.
func (i *inspector) result(t *testing.T, p *program, result any) {
	t.Helper()
	if err := p.wait(t); err != nil {
		t.Fatalf("%s ended with %v", p.name, err)
	}
	var answer struct{ Result json.RawMessage }
	if err := json.Unmarshal([]byte(p.stdout.String()), &answer); err != nil {
		t.Fatalf("it printed no JSON: %v", err)
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		t.Fatalf("its result: %v", err)
	}
}
