package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

// asProgram makes the test binary the program itself, so that signals and exit
// codes are the real ones.
const asProgram = "MCPAUTH_TEST_AS_SIDECAR"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(process.Main(command()))
	}
	os.Exit(m.Run())
}

const (
	// patience bounds every wait; it is shorter than pollEvery, so that a change
	// that no notification told of would be missed.
	patience = 10 * time.Second
	resource = "https://mcp.example.com/mcp"
	issuer   = "https://auth.example.com/resources/apps-todo"
)

func newRing(t *testing.T) *keyring.Ring {
	t.Helper()
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func signed(t *testing.T, ring *keyring.Ring) string {
	t.Helper()
	now := time.Now()
	text, err := accesstoken.Sign(&accesstoken.Claims{
		Issuer: issuer, Subject: "alice", Audience: []string{resource}, ClientID: "agent",
		Scope: oauth.NewScopeSet("todo:read"), IssuedAt: now, Expiry: now.Add(time.Hour), ID: "j",
	}, ring.Active())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// program is a running sidecar with a policy in a folder like a mounted
// ConfigMap's.
type program struct {
	t           *testing.T
	folder      string
	generation  int
	url, health string
	cmd         *exec.Cmd
	output      *output
	exited      chan error
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func encodedPolicy(t *testing.T, upstream, jwksURL string, jwks []byte, tools ...string) []byte {
	t.Helper()
	p := &policy.Policy{
		Version: policy.Version, Server: "apps/todo", Resource: resource,
		Issuers: []string{issuer}, Audiences: []string{resource}, JWKSURL: jwksURL, JWKS: jwks,
		Upstream: policy.Upstream{URL: upstream},
		Scopes:   []policy.Scope{{Name: "todo:read", Default: true, Tools: tools}},
	}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mount puts a file into the folder as the kubelet does: a new folder, and a link
// that is swapped to it.
func (p *program) mount(data []byte) {
	p.t.Helper()
	p.generation++
	name := fmt.Sprintf("..generation_%d", p.generation)
	must(p.t, os.Mkdir(filepath.Join(p.folder, name), 0o755))
	must(p.t, os.WriteFile(filepath.Join(p.folder, name, policy.FileName), data, 0o600))
	must(p.t, os.Symlink(name, filepath.Join(p.folder, "..data_tmp")))
	must(p.t, os.Rename(filepath.Join(p.folder, "..data_tmp"), filepath.Join(p.folder, "..data")))
	if p.generation == 1 {
		must(p.t, os.Symlink("..data/"+policy.FileName, filepath.Join(p.folder, policy.FileName)))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// start runs the program on a policy and waits until it listens.
func start(t *testing.T, data []byte, arguments ...string) *program {
	t.Helper()
	listen, health := freeAddress(t), freeAddress(t)
	p := &program{
		t: t, folder: t.TempDir(), url: "http://" + listen, health: "http://" + health,
		output: &output{}, exited: make(chan error, 1),
	}
	p.mount(data)
	p.cmd = exec.Command(os.Args[0], append([]string{
		"--policy", filepath.Join(p.folder, policy.FileName), "--listen", listen, "--health-listen", health,
	}, arguments...)...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	must(t, p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	p.eventually("the program to listen", func() bool {
		res, err := http.Get(p.health + "/healthz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

func (p *program) eventually(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited %s in vain for %s; the program said:\n%s", patience, what, p.output)
		}
	}
}

func (p *program) get(path string) (int, string) {
	p.t.Helper()
	res, err := http.Get(p.health + path)
	must(p.t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	must(p.t, err)
	return res.StatusCode, string(body)
}

// call calls a tool and returns the status.
func (p *program) call(bearer, tool string) (int, error) {
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`
	r, err := http.NewRequest(http.MethodPost, p.url+"/mcp", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+bearer)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

func (p *program) wantCall(bearer, tool string, want int) {
	p.t.Helper()
	got, err := p.call(bearer, tool)
	if err != nil || got != want {
		p.t.Fatalf("calling %s: %d, %v; want %d; the program said:\n%s", tool, got, err, want, p.output)
	}
}

func (p *program) wantExit(want int) {
	p.t.Helper()
	select {
	case err := <-p.exited:
		code := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if code != want {
			p.t.Errorf("exit code %d, want %d; the program said:\n%s", code, want, p.output)
		}
	case <-time.After(patience):
		p.t.Fatalf("the program still runs after %s; it said:\n%s", patience, p.output)
	}
}

func mcpServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/mcp"
}

func TestNewPolicyIsInForceWithoutARestartAndAWrongOneIsNot(t *testing.T) {
	ring := newRing(t)
	keys, upstream := encode(t, ring.JWKS()), mcpServer(t, nil)
	bearer := signed(t, ring)
	p := start(t, encodedPolicy(t, upstream, "", keys, "get_*"))
	if status, body := p.get("/readyz"); status != http.StatusOK {
		t.Fatalf("/readyz: %d %s", status, body)
	}
	p.wantCall(bearer, "get_task", http.StatusAccepted)
	p.wantCall(bearer, "purge", http.StatusForbidden)

	p.mount(encodedPolicy(t, upstream, "", keys, "get_*", "purge"))
	p.eventually("the new policy to be in force", func() bool {
		status, err := p.call(bearer, "purge")
		return err == nil && status == http.StatusAccepted
	})

	p.mount([]byte(`{"version": 99}`))
	p.eventually("the wrong policy to be counted", func() bool {
		_, body := p.get("/metrics")
		return strings.Contains(body, `mcpauth_sidecar_policy_reloads_total{result="failure"} 1`)
	})
	p.wantCall(bearer, "purge", http.StatusAccepted)
	if status, body := p.get("/readyz"); status != http.StatusOK {
		t.Errorf("a wrong new policy took the old one out of service: %d %s", status, body)
	}
	_, metrics := p.get("/metrics")
	for _, line := range []string{"mcpauth_sidecar_ready 1", "mcpauth_sidecar_keys 1", `mcpauth_sidecar_policy_reloads_total{result="success"} 2`} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("/metrics lacks %q:\n%s", line, metrics)
		}
	}
}

func TestChangesWithoutANotificationAreFoundByPolling(t *testing.T) {
	ring := newRing(t)
	mounted, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), policy.FileName)
	write := func(tools ...string) {
		data := encodedPolicy(t, "http://127.0.0.1:1/mcp", "", encode(t, ring.JWKS()), tools...)
		must(t, os.WriteFile(elsewhere+".new", data, 0o600))
		must(t, os.Rename(elsewhere+".new", elsewhere))
	}
	write("one")
	// What the link leads to is not in the folder that is watched.
	must(t, os.Symlink(elsewhere, filepath.Join(mounted, policy.FileName)))
	live := &sidecar.Live{}
	file := &policyFile{
		path: filepath.Join(mounted, policy.FileName), live: live,
		logger: slog.New(slog.DiscardHandler), poll: 20 * time.Millisecond,
	}
	must(t, file.load(t.Context()))
	go func() { _ = file.follow(t.Context()) }()
	// More than one change: the first could be seen as follow begins.
	for _, tool := range []string{"two", "three", "four"} {
		write(tool)
		for deadline := time.Now().Add(patience); live.Policy().Scopes[0].Tools[0] != tool; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited %s in vain for the policy that opens %s", patience, tool)
			}
		}
	}
}

func TestBrokenPolicyAtTheStartIsNotReadyUntilItIsMended(t *testing.T) {
	ring := newRing(t)
	p := start(t, []byte("{"))
	if status, body := p.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no policy") {
		t.Errorf("/readyz: %d %s", status, body)
	}
	p.wantCall(signed(t, ring), "get_task", http.StatusServiceUnavailable)
	p.mount(encodedPolicy(t, mcpServer(t, nil), "", encode(t, ring.JWKS()), "get_*"))
	p.eventually("the mended policy to be in force", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	p.wantCall(signed(t, ring), "get_task", http.StatusAccepted)
}

func TestKeysRotateWithoutARefusedToken(t *testing.T) {
	first, second := newRing(t), newRing(t)
	var published atomic.Value
	published.Store(encode(t, first.JWKS()))
	issuerServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(published.Load().([]byte))
	}))
	t.Cleanup(issuerServer.Close)
	p := start(t, encodedPolicy(t, mcpServer(t, nil), issuerServer.URL+"/keys", nil, "get_*"))
	p.eventually("the keys to be fetched", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	p.wantCall(signed(t, first), "get_task", http.StatusAccepted)
	p.wantCall(signed(t, second), "get_task", http.StatusUnauthorized)

	both := first.JWKS()
	both.Keys = append(both.Keys, second.JWKS().Keys...)
	published.Store(encode(t, both))
	p.wantCall(signed(t, second), "get_task", http.StatusAccepted)

	issuerServer.Close()
	p.wantCall(signed(t, first), "get_task", http.StatusAccepted)
	p.wantCall(signed(t, second), "get_task", http.StatusAccepted)
}

func TestUpstreamURLOverridesThePolicy(t *testing.T) {
	ring := newRing(t)
	unreachable := "http://" + freeAddress(t) + "/mcp"
	p := start(t, encodedPolicy(t, unreachable, "", encode(t, ring.JWKS()), "get_*"), "--upstream-url", mcpServer(t, nil))
	p.wantCall(signed(t, ring), "get_task", http.StatusAccepted)
}

func TestStoppingLetsACallFinish(t *testing.T) {
	ring := newRing(t)
	calling, release := make(chan struct{}), make(chan struct{})
	upstream := mcpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		close(calling)
		select {
		case <-release:
		case <-time.After(patience):
		}
		w.WriteHeader(http.StatusAccepted)
	})
	p := start(t, encodedPolicy(t, upstream, "", encode(t, ring.JWKS()), "get_*"), "--log-level", "error")
	bearer := signed(t, ring)
	type result struct {
		status int
		err    error
	}
	done := make(chan result, 1)
	go func() {
		status, err := p.call(bearer, "get_task")
		done <- result{status, err}
	}()
	select {
	case <-calling:
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for the call to reach the MCP server", patience)
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.eventually("new connections to be refused", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(release)
	select {
	case got := <-done:
		if got.err != nil || got.status != http.StatusAccepted {
			t.Errorf("the call that was under way: %d, %v", got.status, got.err)
		}
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for the call to finish", patience)
	}
	p.wantExit(0)
	if !strings.Contains(p.output.String(), `"msg":"tool.called"`) {
		t.Errorf("the audit depends on the log level:\n%s", p.output)
	}
}

func TestMistakesInTheCommandLineEndTheProgram(t *testing.T) {
	good := filepath.Join(t.TempDir(), "policy.json")
	must(t, os.WriteFile(good, encodedPolicy(t, "http://127.0.0.1:1/mcp", "", encode(t, newRing(t).JWKS()), "*"), 0o600))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	for name, tt := range map[string]struct {
		arguments []string
		says      string
	}{
		"no such file":      {[]string{"--policy", "/nonexistent/policy.json"}, "--policy"},
		"no such log level": {[]string{"--policy", good, "--log-level", "loud"}, "--log-level"},
		"a taken address":   {[]string{"--policy", good, "--listen", taken.Addr().String()}, "listen"},
		"no such flag":      {[]string{"--port", "80"}, "--port"},
		"an argument":       {[]string{"policy.json"}, "policy.json"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], append([]string{"--health-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"}, tt.arguments...)...)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit: %v; it said: %s", err, out)
			}
		})
	}
}
