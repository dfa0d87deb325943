package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/mcpauth/mcpauth/policy"
)

// altered is an encoded policy with a change.
func altered(t *testing.T, data []byte, change func(*policy.Policy)) []byte {
	t.Helper()
	p, err := policy.Decode(data)
	must(t, err)
	change(p)
	encoded, err := p.Encode()
	must(t, err)
	return encoded
}

func atLevel(level string) func(*policy.Policy) {
	return func(p *policy.Policy) { p.LogLevel = level }
}

// refusals are how many requests without a valid token the audit tells of.
func (p *program) refusals() int {
	return strings.Count(p.output.String(), `"reason":"invalid_token"`)
}

// debugged sends a bad token and reports whether the log tells why it was refused, which
// only debug does. The log is written before the audit.
func (p *program) debugged() bool {
	p.t.Helper()
	before, told := p.refusals(), strings.Count(p.output.String(), "refused a request")
	p.wantCall("garbage", "get_task", http.StatusUnauthorized)
	p.eventually("the audit of the refusal", func() bool { return p.refusals() > before })
	return strings.Count(p.output.String(), "refused a request") > told
}

func TestTheLogFollowsThePolicysLevel(t *testing.T) {
	data := encodedPolicy(t, mcpServer(t, nil), "", encode(t, newRing(t).JWKS()), "get_*")
	p := start(t, data)
	if p.debugged() {
		t.Error("debug is logged where the policy says nothing")
	}
	p.mount(altered(t, data, atLevel("debug")))
	p.eventually("debug to be logged", p.debugged)
	p.mount(altered(t, data, atLevel("error")))
	p.eventually("debug not to be logged any more", func() bool { return !p.debugged() })
}

func TestTheCommandLinesLevelWins(t *testing.T) {
	data := encodedPolicy(t, mcpServer(t, nil), "", encode(t, newRing(t).JWKS()), "get_*")
	quiet := start(t, altered(t, data, atLevel("debug")), "--log-level", "warn")
	if quiet.debugged() || strings.Contains(quiet.output.String(), "the policy is in force") {
		t.Errorf("--log-level warn; the program said:\n%s", quiet.output)
	}
	loud := start(t, altered(t, data, atLevel("error")), "--log-level", "debug")
	if !loud.debugged() {
		t.Errorf("--log-level debug; the program said:\n%s", loud.output)
	}
}

// events are the audit's, by their type.
func (p *program) events() map[string]map[string]any {
	found := make(map[string]map[string]any)
	for line := range strings.Lines(p.output.String()) {
		var event map[string]any
		if json.Unmarshal([]byte(line), &event) == nil && event["audit"] == true {
			name, _ := event["msg"].(string)
			found[name] = event
		}
	}
	return found
}

func TestStoppingEndsStreamsLetsCallsFinishAndWritesTheirAudit(t *testing.T) {
	ring := newRing(t)
	arrived, release := make(chan string, 2), make(chan struct{})
	upstream := mcpServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			arrived <- "the stream"
			<-r.Context().Done()
			return
		}
		arrived <- "the call"
		select {
		case <-release:
		case <-time.After(patience):
		}
		w.WriteHeader(http.StatusAccepted)
	})
	p := start(t, encodedPolicy(t, upstream, "", encode(t, ring.JWKS()), "get_*"))
	bearer := signed(t, ring)
	get, err := http.NewRequest(http.MethodGet, p.url+"/mcp", nil)
	must(t, err)
	get.Header.Set("Authorization", "Bearer "+bearer)
	stream, err := http.DefaultClient.Do(get)
	must(t, err)
	defer func() { _ = stream.Body.Close() }()
	called := make(chan error, 1)
	var status int
	go func() {
		var err error
		status, err = p.call(bearer, "get_task")
		called <- err
	}()
	for range 2 {
		select {
		case <-arrived:
		case <-time.After(patience):
			t.Fatalf("waited %s in vain for the stream and the call to reach the MCP server", patience)
		}
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, stream.Body)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the stream did not end as streams do: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for the stream to end", patience)
	}
	select {
	case err := <-called:
		t.Fatalf("the call did not go on: %v", err)
	default:
	}
	close(release)
	select {
	case err := <-called:
		if err != nil || status != http.StatusAccepted {
			t.Errorf("the call: %d, %v", status, err)
		}
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for the call to finish", patience)
	}
	p.wantExit(0)
	events := p.events()
	for name, want := range map[string]float64{"stream.opened": 200, "tool.called": 202} {
		if e := events[name]; e == nil || e["decision"] != "allowed" || e["status"] != want || e["subject"] != "alice" {
			t.Errorf("%s: %v; the program said:\n%s", name, e, p.output)
		}
	}
}

// exposed are the metrics, as a scraper reads them.
func (p *program) exposed() map[string]*dto.MetricFamily {
	p.t.Helper()
	_, text := p.get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	must(p.t, err)
	return families
}

// value is that of a metric, with a label or without.
func value(family *dto.MetricFamily, label string) float64 {
	for _, m := range family.GetMetric() {
		fits := label == ""
		for _, l := range m.GetLabel() {
			fits = fits || l.GetValue() == label
		}
		if fits {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

func TestScrapersReadEveryMetric(t *testing.T) {
	ring := newRing(t)
	p := start(t, encodedPolicy(t, mcpServer(t, nil), "", encode(t, ring.JWKS()), "get_*"))
	p.wantCall(signed(t, ring), "get_task", http.StatusAccepted)
	p.eventually("the call to be counted", func() bool {
		return value(p.exposed()["mcpauth_sidecar_requests_total"], "tools/call") == 1
	})
	families := p.exposed()
	for _, name := range []string{
		"mcpauth_sidecar_requests_total", "mcpauth_sidecar_request_duration_seconds",
		"mcpauth_sidecar_received_bytes_total", "mcpauth_sidecar_sent_bytes_total",
		"mcpauth_sidecar_streams", "mcpauth_sidecar_sessions", "mcpauth_sidecar_ready", "mcpauth_sidecar_keys",
		"mcpauth_sidecar_policy_reloads_total", "mcpauth_sidecar_policy_current", "mcpauth_sidecar_policy_loaded_timestamp_seconds",
		"mcpauth_sidecar_revocations", "mcpauth_sidecar_revocations_heard_timestamp_seconds", "mcpauth_sidecar_revocations_dropped_total",
		"mcpauth_sidecar_audit_events_total", "mcpauth_sidecar_audit_events_lost_total", "go_goroutines", "process_open_fds",
	} {
		family := families[name]
		if family == nil || family.GetHelp() == "" || len(family.GetMetric()) == 0 {
			t.Errorf("%s: %v", name, family)
		}
	}
}

func TestABrokenPolicyIsTold(t *testing.T) {
	ring := newRing(t)
	data := encodedPolicy(t, mcpServer(t, nil), "", encode(t, ring.JWKS()), "get_*")
	p := start(t, data)
	current := func() float64 { return value(p.exposed()["mcpauth_sidecar_policy_current"], "") }
	failures := func() float64 { return value(p.exposed()["mcpauth_sidecar_policy_reloads_total"], "failure") }
	if current() != 1 || failures() != 0 {
		t.Fatalf("at first: current %v, failures %v", current(), failures())
	}
	for i, broken := range [][]byte{
		[]byte("{"), nil, append(data, data...),
		altered(t, data, func(p *policy.Policy) { p.Resource = "no URL" }),
		[]byte(strings.Replace(string(data), `"server"`, `"unheardOf": true, "server"`, 1)),
	} {
		p.mount(broken)
		p.eventually("the broken policy to be counted", func() bool { return failures() == float64(i+1) })
		if current() != 0 {
			t.Errorf("broken policy %d is called the current one", i)
		}
		p.wantCall(signed(t, ring), "get_task", http.StatusAccepted)
		p.wantCall(signed(t, ring), "purge", http.StatusForbidden)
	}
	p.mount(altered(t, data, func(p *policy.Policy) { p.Scopes[0].Tools = []string{"purge"} }))
	p.eventually("the mended policy to be the current one", func() bool { return current() == 1 })
	p.wantCall(signed(t, ring), "purge", http.StatusAccepted)
	p.wantCall(signed(t, ring), "get_task", http.StatusForbidden)
}

func TestAFolderWithoutACertificateEndsTheProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), policy.FileName)
	must(t, os.WriteFile(file, encodedPolicy(t, "http://127.0.0.1:1/mcp", "", encode(t, newRing(t).JWKS()), "*"), 0o600))
	broken := newSecret(t, 1)
	certificate, _ := newPair(t, 2)
	broken.mount(certificate, []byte("x"))
	for name, folder := range map[string]string{
		"a missing folder":      filepath.Join(t.TempDir(), "missing"),
		"an empty folder":       t.TempDir(),
		"a key that is not one": broken.folder,
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "--policy", file, "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--tls-dir", folder)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "--tls-dir") || !strings.Contains(string(out), "certificate") {
				t.Errorf("exit: %v; it said: %s", err, out)
			}
		})
	}
}
