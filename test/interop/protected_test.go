package interop_test

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/test/clients/clientstest"
	"github.com/mcpauth/mcpauth/test/samples"
	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// buildTimeout bounds the build of the command, with cold caches.
const buildTimeout = 5 * time.Minute

func TestProgramsThatPeopleInstallWork(t *testing.T) {
	node := clientstest.Install(t)
	server := startProtected(t)
	t.Run("mcp-remote", func(t *testing.T) { testMCPRemote(t, node, server) })
	t.Run("mcp-remote that asks for scopes nobody has", func(t *testing.T) { testMCPRemoteForeignScopes(t, node, server) })
	t.Run("MCP Inspector", func(t *testing.T) { testInspector(t, node, server) })
}

// protected is the sample MCP server behind "mcpauth dev".
type protected struct {
	url     string
	tasks   *tasks.Store
	command *program
}

func startProtected(t *testing.T) *protected {
	t.Helper()
	binary := build(t)
	issuer, resource := freeAddress(t).String(), freeAddress(t).String()
	server := &protected{url: "http://" + resource + "/mcp", tasks: &tasks.Store{}}
	todo := tasks.NewServer(server.tasks)
	upstream := httptest.NewServer(todo)
	t.Cleanup(func() { todo.CloseSessions(); upstream.Close() })
	data := t.TempDir()
	server.command = start(t, []string{"HOME=" + data}, binary, "dev", "--data", data, "--upstream", "todo="+upstream.URL+"/mcp",
		"--file", samples.Copy(t, "../..", "127.0.0.1:9400", issuer, "127.0.0.1:9401", resource,
			// The Inspector calls what is listed, and steps up for it.
			"\n  workload:", "\n  listFiltering: Disabled\n  workload:"))
	server.command.line(t, "the word that it is ready", func(line string) bool { return strings.HasPrefix(line, "Ready after") })
	t.Cleanup(func() {
		if server.command.quit(); server.command.err != nil {
			t.Errorf("mcpauth dev ended with %v", server.command.err)
		}
	})
	return server
}

// build makes the command as users install it.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mcpauth")
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "../../cmd/mcpauth").CombinedOutput()
	if err != nil {
		t.Fatalf("build mcpauth, for %s at most: %v\n%s", buildTimeout, err, out)
	}
	return binary
}
