package sidecar

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpauth/mcpauth/policy"
)

// measured is a sidecar that counts.
func measured(t *testing.T, change ...func(*policy.Policy)) (*bench, *prometheus.Registry) {
	t.Helper()
	b := protect(t, change...)
	registry := prometheus.NewRegistry()
	b.sidecar.options.Metrics = NewMetrics(registry)
	b.sidecar.options.Metrics.watch(b.sidecar)
	return b, registry
}

// samples are the values of one metric by its labels' values, which stand in the order of
// their names; of a histogram it is the number of observations.
func samples(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			found[strings.Join(labels, " ")] = value
		}
	}
	return found
}

const requestsTotal = "mcpauth_sidecar_requests_total"

func TestRequestsAreCountedByWhatTheyAskForAndWhatBecameOfThem(t *testing.T) {
	b, registry := measured(t)
	bearer := token(t, "todo:read")
	for range 3 {
		b.post(t, bearer, call("get_task"))
	}
	b.post(t, bearer, call("purge"))
	b.post(t, bearer, call("unheard_of"))
	b.post(t, "", call("get_task"))
	b.post(t, "garbage", call("get_task"))
	b.post(t, bearer, "{")
	b.post(t, bearer, initialize)
	b.post(t, bearer, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	b.post(t, bearer, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	b.post(t, bearer, "["+call("get_task")+","+call("get_task")+"]")
	b.post(t, bearer, call("get_task"), header("Mcp-Name", "purge"))
	b.post(t, bearer, call("get_task"), header("Origin", "https://evil.example"))
	b.do(t, http.MethodGet, testPath, bearer)
	b.do(t, http.MethodDelete, testPath, bearer)
	b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, "") // is not the MCP server's
	b.do(t, http.MethodGet, "/elsewhere", bearer)
	b.handler = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	b.post(t, bearer, call("get_task"))
	stop(t, b)
	// decision, operation, reason
	want := map[string]float64{
		"allowed tools/call Scope":            3,
		"denied tools/call InsufficientScope": 1,
		"denied tools/call NoScopeOpensIt":    1,
		"denied unread no_token":              1,
		"denied unread invalid_token":         1,
		"denied unread invalid_request":       1,
		"denied unread origin_not_allowed":    1,
		"denied tools/call header_mismatch":   1,
		"allowed initialize Open":             1,
		"allowed notification Open":           1,
		"allowed response Open":               1,
		"allowed batch ":                      1,
		"allowed stream ":                     1,
		"allowed end session ":                1,
		"allowed tools/call upstream_failed":  1,
	}
	if diff := cmp.Diff(want, samples(t, registry, requestsTotal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	durations := samples(t, registry, "mcpauth_sidecar_request_duration_seconds")
	wantDurations := map[string]float64{"tools/call": 4, "initialize": 1, "notification": 1, "response": 1, "batch": 1, "end session": 1}
	if diff := cmp.Diff(wantDurations, durations); diff != "" {
		t.Errorf("durations (-want +got):\n%s", diff)
	}
}

func TestBytesAreCounted(t *testing.T) {
	b, registry := measured(t)
	got := b.post(t, token(t, "todo:read"), call("get_task"))
	refused := b.post(t, token(t, "todo:read"), call("purge"))
	stop(t, b)
	wantIn, wantOut := float64(len(call("get_task"))+len(call("purge"))), float64(len(got.body)+len(refused.body))
	if in := samples(t, registry, "mcpauth_sidecar_received_bytes_total")[""]; in != wantIn {
		t.Errorf("%v bytes in, want %v", in, wantIn)
	}
	if out := samples(t, registry, "mcpauth_sidecar_sent_bytes_total")[""]; out != wantOut {
		t.Errorf("%v bytes out, want %v", out, wantOut)
	}
}

// Strangers must not be able to make series: they are what a database of metrics dies of.
func TestStrangersMakeNoSeries(t *testing.T) {
	b, registry := measured(t, func(p *policy.Policy) { p.UnmatchedOperations = policy.Allow })
	bearer := token(t, "todo:read")
	for i := range 1000 {
		b.post(t, bearer, asking(fmt.Sprintf("made-up/%d", i)))
	}
	for i := range 100 {
		b.post(t, bearer, asking(fmt.Sprintf("notifications/made-up-%d", i)))
		b.post(t, bearer, asking(fmt.Sprintf("tasks/made-up-%d", i)))
		b.post(t, bearer, call(fmt.Sprintf("get_%d", i)))
		b.post(t, fmt.Sprintf("garbage-%d", i), call("get_task"))
		b.do(t, fmt.Sprintf("METHOD%d", i), testPath, bearer)
		b.do(t, http.MethodGet, fmt.Sprintf("%s/%d", testPath, i), bearer)
	}
	stop(t, b)
	got := samples(t, registry, requestsTotal)
	want := map[string]float64{
		"allowed other UnmatchedAllowed": 1100,
		"allowed notification Open":      100,
		"allowed tools/call Scope":       100,
		"allowed stream ":                100,
		"denied unread invalid_token":    100,
		"denied unread invalid_request":  100,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheGaugeOfStreamsGoesBackToZero(t *testing.T) {
	const streams = "mcpauth_sidecar_streams"
	b, registry := measured(t)
	b.handler = listening
	open := func() float64 { return samples(t, registry, streams)[""] }
	bearer := token(t, "todo:read")
	_, endFirst := openStream(t, b.get(t, bearer))
	_, endSecond := openStream(t, b.request(t, bearer, listen))
	if got := open(); got != 2 {
		t.Errorf("%v streams are open, want 2", got)
	}
	endFirst()
	endSecond()
	eventually(t, "the streams to end", func() bool { return open() == 0 })
	if status, _ := openStream(t, b.get(t, bearer)); status != 200 {
		t.Fatalf("another stream: %d", status)
	}
	b.sidecar.EndStreams()
	eventually(t, "the stream to be ended", func() bool { return open() == 0 })
	wantStatus(t, b.do(t, http.MethodGet, testPath, bearer), 503)
	b.do(t, http.MethodGet, testPath, "")
	stop(t, b)
	if got := open(); got != 0 {
		t.Errorf("%v streams are open, want none", got)
	}
}

func TestSessionsAreCounted(t *testing.T) {
	b, registry := measured(t)
	for i := range 3 {
		b.post(t, token(t, "todo:read"), call("get_task"), within(fmt.Sprintf("s-%d", i)))
	}
	b.do(t, http.MethodDelete, testPath, token(t, ""), within("s-0"))
	stop(t, b)
	if got := samples(t, registry, "mcpauth_sidecar_sessions")[""]; got != 2 {
		t.Errorf("%v sessions are remembered, want 2", got)
	}
}
