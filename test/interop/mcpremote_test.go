package interop_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/mcpauth/mcpauth/test/clients"
)

// remote is one user's mcp-remote, whose folder outlives its processes.
type remote struct {
	node   clients.Node
	url    string
	opener *opener
	home   string
	port   string
	flags  []string
}

func newRemote(t *testing.T, node clients.Node, server *protected, flags ...string) *remote {
	t.Helper()
	return &remote{
		node: node, url: server.url, opener: newOpener(t), home: t.TempDir(),
		port: strconv.Itoa(freeAddress(t).Port), flags: flags,
	}
}

// The first start signs in, the second reuses the token, the third finds it
// expired and refreshes it.
func testMCPRemote(t *testing.T, node clients.Node, server *protected) {
	r := newRemote(t, node, server)
	r.session(t, func(p *program) { r.opener.signIn(t, p) })
	first := r.tokens(t)
	if first["refresh_token"] == nil {
		t.Fatal("it was given no refresh token")
	}

	r.session(t, func(*program) {})
	if second := r.tokens(t); !maps.Equal(first, second) {
		t.Error("the second start did not reuse the token")
	}

	r.expire(t)
	r.session(t, func(*program) {})
	third := r.tokens(t)
	for _, name := range []string{"access_token", "refresh_token"} {
		if third[name] == nil || third[name] == first[name] {
			t.Errorf("the third start did not get a new %s", name)
		}
	}
	r.opener.expectNoPage(t)
}

// Where it knows of no scopes, mcp-remote asks for OpenID Connect's.
func testMCPRemoteForeignScopes(t *testing.T, node clients.Node, server *protected) {
	r := newRemote(t, node, server, "--static-oauth-client-metadata", `{"scope":"openid email profile"}`)
	r.session(t, func(p *program) { r.opener.signIn(t, p) })
	if scope := r.tokens(t)["scope"]; scope != "todo:read" {
		t.Errorf("got the scope %v, want the default one", scope)
	}
}

// session is one life of the process: a host connects and lists tools. The
// user does their part between the host's first word and the answer.
func (r *remote) session(t *testing.T, user func(*program)) {
	t.Helper()
	p := start(t, r.opener.environment(r.home, "MCP_REMOTE_CONFIG_DIR="+r.home),
		r.node.Command(clients.MCPRemote, append([]string{r.url, r.port}, r.flags...)...)...)
	p.write(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"interop","version":"1"}}}`)
	user(p)
	var hello struct {
		ServerInfo struct{ Name string }
	}
	p.answer(t, 1, &hello)
	if hello.ServerInfo.Name == "" {
		t.Error("initialize was answered without the server's name")
	}
	p.write(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	p.write(t, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	var list toolList
	p.answer(t, 2, &list)
	list.expect(t, "list_tasks")
	p.quit()
}

// tokens is what it has stored.
func (r *remote) tokens(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile(r.tokenFile(t))
	if err != nil {
		t.Fatal(err)
	}
	var tokens map[string]any
	if err := json.Unmarshal(data, &tokens); err != nil {
		t.Fatal(err)
	}
	return tokens
}

// expire makes it believe that its access token has expired.
func (r *remote) expire(t *testing.T) {
	t.Helper()
	tokens := r.tokens(t)
	if _, ok := tokens["expires_at"].(float64); !ok {
		t.Fatal("it does not keep when its token expires")
	}
	tokens["expires_at"] = 1
	if err := os.WriteFile(r.tokenFile(t), []byte(encode(t, tokens)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *remote) tokenFile(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.home, "*", "*_tokens.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("it keeps tokens in %v, %v, want one file", files, err)
	}
	return files[0]
}

// answer waits for the result of a request.
func (p *program) answer(t *testing.T, id int, result any) {
	t.Helper()
	var message struct {
		ID     int             `json:"id"`
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	p.line(t, "the answer to request "+strconv.Itoa(id), func(line string) bool {
		message.ID = 0
		return json.Unmarshal([]byte(line), &message) == nil && message.ID == id
	})
	if err := json.Unmarshal(message.Result, result); err != nil {
		t.Fatalf("request %d was answered with the error %s", id, message.Error)
	}
}

// toolList is the result of tools/list.
type toolList struct {
	Tools []struct{ Name string }
}

func (l toolList) expect(t *testing.T, name string) {
	t.Helper()
	if !slices.ContainsFunc(l.Tools, func(tool struct{ Name string }) bool { return tool.Name == name }) {
		t.Errorf("tools/list was answered with %v, without %s", l.Tools, name)
	}
}
