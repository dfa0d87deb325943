package injector

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func port(number int32) *int32 { return &number }

func memory(text string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(text)}}
}

func TestWhatAServerLeavesOutIsAsItsAuthorizationServerThenTheOperatorSays(t *testing.T) {
	small, large, none := memory("64Mi"), memory("1Gi"), corev1.ResourceRequirements{}
	base := testConfig().withDefaults()
	with := func(edit func(*Config)) Config {
		cfg := base
		edit(&cfg)
		return cfg
	}
	for _, test := range []struct {
		name          string
		own, defaults *v1alpha1.Sidecar
		want          Config
	}{
		{"nobody says anything", nil, nil, base},
		{"both say nothing", &v1alpha1.Sidecar{}, &v1alpha1.Sidecar{}, base},
		{"the authorization server alone", nil, &v1alpha1.Sidecar{Image: "mirror/sidecar:1", Port: port(16080), HealthPort: port(16081), Resources: &small},
			with(func(c *Config) { c.Image, c.Port, c.HealthPort, c.Resources = "mirror/sidecar:1", 16080, 16081, small })},
		{"the server alone", &v1alpha1.Sidecar{Image: "own/sidecar:1", Port: port(17080), Resources: &large}, nil,
			with(func(c *Config) { c.Image, c.Port, c.Resources = "own/sidecar:1", 17080, large })},
		{"each something", &v1alpha1.Sidecar{Image: "own/sidecar:1", Port: port(17080)}, &v1alpha1.Sidecar{Image: "mirror/sidecar:1", Port: port(16080), HealthPort: port(16081)},
			with(func(c *Config) { c.Image, c.Port, c.HealthPort = "own/sidecar:1", 17080, 16081 })},
		{"resources are taken whole", &v1alpha1.Sidecar{Resources: &large}, &v1alpha1.Sidecar{Resources: &small}, with(func(c *Config) { c.Resources = large })},
		{"resources that name none say nothing", &v1alpha1.Sidecar{Resources: &none}, &v1alpha1.Sidecar{Resources: &small}, with(func(c *Config) { c.Resources = small })},
		{"what travels in the policy makes no difference", &v1alpha1.Sidecar{LogLevel: v1alpha1.LogDebug, Telemetry: &v1alpha1.Telemetry{OTLPEndpoint: "http://collector"}}, nil, base},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := todoServer(func(s *v1alpha1.MCPServer) { s.Spec.Sidecar = test.own })
			got, err := ConfigFor(server, test.defaults, "mcpauth/sidecar:test")
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("ConfigFor: error %v, config (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPortsThatAreInEachOthersWayAreRefusedInWords(t *testing.T) {
	for _, test := range []struct {
		name          string
		app           int32
		own, defaults *v1alpha1.Sidecar
		says          string
	}{
		{"clients and probes", 8080, &v1alpha1.Sidecar{Port: port(DefaultHealthPort)}, nil, "clients and probes on one port, 15081; set spec.sidecar.port"},
		{"clients of one object and probes of another", 8080, &v1alpha1.Sidecar{Port: port(9000)}, &v1alpha1.Sidecar{HealthPort: port(9000)}, "on one port, 9000"},
		{"the app and the sidecar", DefaultPort, nil, nil, "port 15080 of MCPServer \"todo\", its spec.workload.port, is also its sidecar's; set spec.sidecar.port"},
		{"the app and the configured sidecar", 9000, nil, &v1alpha1.Sidecar{Port: port(9000)}, "is also its sidecar's"},
		{"the app and the probes", DefaultHealthPort, nil, nil, "is also that of its sidecar's probes; set spec.sidecar.healthPort"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := todoServer(func(s *v1alpha1.MCPServer) { s.Spec.Workload.Port, s.Spec.Sidecar = test.app, test.own })
			_, err := ConfigFor(server, test.defaults, "mcpauth/sidecar:test")
			var refusal *Refusal
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, test.says) {
				t.Errorf("ConfigFor = %v, want a *Refusal that says %q", err, test.says)
			}
		})
	}
}

func TestServerForAsksTheAuthorizationServerForItsDefaults(t *testing.T) {
	server := todoServer(func(s *v1alpha1.MCPServer) {
		s.Spec.AuthorizationServerRef = v1alpha1.AuthorizationServerReference{Name: "main", Namespace: "auth"}
	})
	issuer := &v1alpha1.AuthorizationServer{Spec: v1alpha1.AuthorizationServerSpec{Sidecars: &v1alpha1.Sidecar{Port: port(16080)}}}
	issuer.Namespace, issuer.Name = "auth", "main"
	got, err := clusterOf(t, server, issuer).ServerFor(t.Context(), "apps", "todo")
	if err != nil || got.Port != 16080 {
		t.Errorf("ServerFor = port %d, %v; want the 16080 of the AuthorizationServer", got.Port, err)
	}
	issuer.Namespace = "apps"
	got, err = clusterOf(t, server, issuer).ServerFor(t.Context(), "apps", "todo")
	if err != nil || got.Port != DefaultPort {
		t.Errorf("ServerFor without its AuthorizationServer = port %d, %v; want the operator's %d", got.Port, err, DefaultPort)
	}
}

func TestTheShapeChangesWithWhatIsWrittenAndWithNothingElse(t *testing.T) {
	base := testConfig()
	// Pods carry the shape, so another one begins a rollout wherever rollout is Automatic:
	// it changes with what Inject writes, and deliberately.
	if got, want := base.Shape(), "cbdc8c11e1590b54"; got != want {
		t.Errorf("Shape = %s, want %s; correct the test where Inject is to write something else", got, want)
	}
	if filled := base.withDefaults(); filled.Shape() != base.Shape() {
		t.Error("defaults that are filled in give another shape")
	}
	written := memory("1Gi")
	spelled := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1024Mi")}}
	if a, b := withResources(base, written).Shape(), withResources(base, spelled).Shape(); a != b {
		t.Error("one amount spelled in two ways gives two shapes")
	}
	seen := map[string]string{base.Shape(): "the base"}
	for name, cfg := range map[string]Config{
		"server":      {Server: "other", Image: base.Image, AppPort: 8080},
		"image":       {Server: "todo", Image: "mcpauth/sidecar:2", AppPort: 8080},
		"app's port":  {Server: "todo", Image: base.Image, AppPort: 9090},
		"port":        {Server: "todo", Image: base.Image, AppPort: 8080, Port: 16080},
		"health port": {Server: "todo", Image: base.Image, AppPort: 8080, HealthPort: 16081},
		"resources":   withResources(base, written),
		"TLS":         {Server: "todo", Image: base.Image, AppPort: 8080, TLSSecret: "todo-tls"},
		"Secret":      {Server: "todo", Image: base.Image, AppPort: 8080, TLSSecret: "renewed"},
	} {
		if other, taken := seen[cfg.Shape()]; taken {
			t.Errorf("another %s gives the shape of %s", name, other)
		}
		seen[cfg.Shape()] = name
	}
}

func withResources(cfg Config, r corev1.ResourceRequirements) Config {
	cfg.Resources = r
	return cfg
}
