package compiler_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/policy"
)

// enforced is the policy of the world's one server, as its sidecars read it.
func enforced(t *testing.T, in *compiler.Input) *policy.Policy {
	t.Helper()
	result := compiler.Compile(*in)
	if len(result.Problems) != 0 {
		t.Fatalf("problems: %+v", result.Problems)
	}
	encoded, err := result.Servers[name("apps", "todo")].Policy.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Decode(encoded)
	if err != nil {
		t.Fatalf("a sidecar refuses what was compiled: %v", err)
	}
	return p
}

func TestLimitsReachThePolicy(t *testing.T) {
	number := func(n int32) *int32 { return &n }
	body := int64(65536)
	requests := func(n int32, per v1alpha1.RatePeriod) *v1alpha1.Rate { return &v1alpha1.Rate{Requests: &n, Per: per} }
	for _, test := range []struct {
		name   string
		limits *v1alpha1.Limits
		want   policy.Limits
	}{
		{"none", nil, policy.Limits{}},
		{"an empty list of them", &v1alpha1.Limits{}, policy.Limits{}},
		{"requests in a second", &v1alpha1.Limits{PerUser: requests(5, v1alpha1.PerSecond)}, policy.Limits{User: policy.Rate{PerSecond: 5, Burst: 5}}},
		{"requests in a minute", &v1alpha1.Limits{PerClient: requests(90, v1alpha1.PerMinute)}, policy.Limits{Client: policy.Rate{PerSecond: 1.5, Burst: 90}}},
		{"requests in an hour", &v1alpha1.Limits{PerTool: requests(36, v1alpha1.PerHour)}, policy.Limits{Tool: policy.Rate{PerSecond: 0.01, Burst: 36}}},
		{"requests in a time that nobody filled in", &v1alpha1.Limits{PerUser: requests(7, "")}, policy.Limits{User: policy.Rate{PerSecond: 7, Burst: 7}}},
		{"the fewest requests", &v1alpha1.Limits{PerUser: requests(1, v1alpha1.PerHour)}, policy.Limits{User: policy.Rate{PerSecond: 1.0 / 3600, Burst: 1}}},
		{
			"a burst of its own", &v1alpha1.Limits{PerUser: &v1alpha1.Rate{Requests: number(60), Per: v1alpha1.PerMinute, Burst: number(3)}},
			policy.Limits{User: policy.Rate{PerSecond: 1, Burst: 3}},
		},
		{"streams alone", &v1alpha1.Limits{PerUser: &v1alpha1.Rate{Streams: number(4), Per: v1alpha1.PerSecond}}, policy.Limits{User: policy.Rate{Streams: 4}}},
		{
			"streams beside requests", &v1alpha1.Limits{PerClient: &v1alpha1.Rate{Requests: number(2), Streams: number(4)}},
			policy.Limits{Client: policy.Rate{PerSecond: 2, Burst: 2, Streams: 4}},
		},
		{
			"sizes", &v1alpha1.Limits{MaxBodyBytes: &body, MaxHeaderBytes: number(8192), MaxDepth: number(20)},
			policy.Limits{MaxBodyBytes: 65536, MaxHeaderBytes: 8192, MaxDepth: 20},
		},
		{
			"all of them", &v1alpha1.Limits{
				PerUser: requests(1, v1alpha1.PerSecond), PerClient: requests(2, v1alpha1.PerSecond), PerTool: requests(3, v1alpha1.PerSecond), MaxDepth: number(8),
			},
			policy.Limits{
				User: policy.Rate{PerSecond: 1, Burst: 1}, Client: policy.Rate{PerSecond: 2, Burst: 2}, Tool: policy.Rate{PerSecond: 3, Burst: 3}, MaxDepth: 8,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := world()
			in.MCPServers[0].Spec.Limits = test.limits
			if diff := cmp.Diff(test.want, enforced(t, in).Limits); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASidecarIsAsItsServerSaysElseAsItsAuthorizationServerDoes(t *testing.T) {
	telemetry := func(endpoint string, percent int32) *v1alpha1.Telemetry {
		return &v1alpha1.Telemetry{OTLPEndpoint: endpoint, TracePercent: percent}
	}
	for _, test := range []struct {
		name        string
		shared, own *v1alpha1.Sidecar
		level       string
		want        policy.Telemetry
	}{
		{"where nobody says anything", nil, nil, "", policy.Telemetry{}},
		{"where both say nothing", &v1alpha1.Sidecar{}, &v1alpha1.Sidecar{}, "", policy.Telemetry{}},
		{
			"where the AuthorizationServer alone does", &v1alpha1.Sidecar{LogLevel: v1alpha1.LogWarn, Telemetry: telemetry("http://shared:4318", 5)}, nil,
			"warn", policy.Telemetry{Endpoint: "http://shared:4318", TracePercent: 5},
		},
		{
			"where the server alone does", nil, &v1alpha1.Sidecar{LogLevel: v1alpha1.LogDebug, Telemetry: telemetry("http://own:4318", 0)},
			"debug", policy.Telemetry{Endpoint: "http://own:4318"},
		},
		{
			"where both do", &v1alpha1.Sidecar{LogLevel: v1alpha1.LogError, Telemetry: telemetry("http://shared:4318", 50)},
			&v1alpha1.Sidecar{LogLevel: v1alpha1.LogInfo, Telemetry: telemetry("http://own:4318", 0)},
			"info", policy.Telemetry{Endpoint: "http://own:4318"},
		},
		{
			"where each says something else", &v1alpha1.Sidecar{LogLevel: v1alpha1.LogError}, &v1alpha1.Sidecar{Telemetry: telemetry("http://own:4318", 1)},
			"error", policy.Telemetry{Endpoint: "http://own:4318", TracePercent: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := world()
			in.AuthorizationServers[0].Spec.Sidecars, in.MCPServers[0].Spec.Sidecar = test.shared, test.own
			p := enforced(t, in)
			if p.LogLevel != test.level {
				t.Errorf("log level %q, want %q", p.LogLevel, test.level)
			}
			if diff := cmp.Diff(test.want, p.Telemetry); diff != "" {
				t.Errorf("telemetry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatElseASidecarDoesReachesThePolicy(t *testing.T) {
	type fields struct {
		FilterLists, ArgumentNames bool
		FailClosedAfter            int64
		Upstream                   policy.Upstream
	}
	plain := fields{FilterLists: true, Upstream: policy.Upstream{Port: 8080, Path: "/mcp"}}
	with := func(change func(*fields)) fields { f := plain; change(&f); return f }
	for _, test := range []struct {
		name   string
		change func(*v1alpha1.MCPServerSpec)
		want   fields
	}{
		{"nothing", func(*v1alpha1.MCPServerSpec) {}, plain},
		{"lists that are filtered", func(s *v1alpha1.MCPServerSpec) { s.ListFiltering = v1alpha1.Enabled }, plain},
		{"lists that are whole", func(s *v1alpha1.MCPServerSpec) { s.ListFiltering = v1alpha1.Disabled }, with(func(f *fields) { f.FilterLists = false })},
		{"no answer to a silent feed", func(s *v1alpha1.MCPServerSpec) { s.Revocation = &v1alpha1.ServerRevocation{} }, plain},
		{"an answer to a silent feed", func(s *v1alpha1.MCPServerSpec) {
			s.Revocation = &v1alpha1.ServerRevocation{FailClosedAfter: &metav1.Duration{Duration: 90 * time.Second}}
		}, with(func(f *fields) { f.FailClosedAfter = 90 })},
		{"events without names", func(s *v1alpha1.MCPServerSpec) { s.Audit = &v1alpha1.ServerAudit{ArgumentNames: v1alpha1.Disabled} }, plain},
		{"events with names", func(s *v1alpha1.MCPServerSpec) { s.Audit = &v1alpha1.ServerAudit{ArgumentNames: v1alpha1.Enabled} }, with(func(f *fields) { f.ArgumentNames = true })},
		{"a path for messages", func(s *v1alpha1.MCPServerSpec) { s.Workload.Path, s.Workload.MessagePath = "/sse", "/messages/" }, with(func(f *fields) {
			f.Upstream.Path, f.Upstream.MessagePath = "/sse", "/messages/"
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := world()
			test.change(&in.MCPServers[0].Spec)
			p := enforced(t, in)
			got := fields{p.FilterLists, p.AuditArgumentNames, p.FailClosedAfter, p.Upstream}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMethodsAndIncludedScopesReachThePolicy(t *testing.T) {
	in := world()
	in.Scopes[0].Spec.Methods = []string{"completion/complete", "logging/*"}
	in.Scopes[1].Spec.Includes = []string{"todo:read"}
	p := enforced(t, in)
	want := []policy.Scope{
		{Name: "todo:admin", Includes: []string{"todo:read"}},
		{Name: "todo:read", Default: true, Tools: []string{"list_*"}, Methods: []string{"completion/complete", "logging/*"}},
	}
	if diff := cmp.Diff(want, p.Scopes); diff != "" {
		t.Errorf("scopes (-want +got):\n%s", diff)
	}
	compiled := compiler.Compile(*in).Servers[name("apps", "todo")].Policy
	in.Scopes[0].Spec.Methods[0], in.Scopes[1].Spec.Includes[0] = "changed", "changed"
	if diff := cmp.Diff(want, compiled.Scopes); diff != "" {
		t.Errorf("a change of the cached object changes the policy (-want +got):\n%s", diff)
	}
}
