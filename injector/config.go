package injector

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Ports of the sidecar where a Config names none. They are outside the range of
// ephemeral ports and unlike what applications choose.
const (
	DefaultPort       int32 = 15080
	DefaultHealthPort int32 = 15081
)

// Config says how the pods of one MCPServer are injected. What travels in the
// policy (log level, limits, telemetry) is not in it, since it changes in pods that
// run.
type Config struct {
	// Server is the MCPServer's name, in the pod's namespace.
	Server string
	// Image is the sidecar's container image.
	Image string
	// AppPort is the TCP port on which the MCP server listens in its pod.
	AppPort int32
	// Port is where the sidecar listens for MCP clients; zero means DefaultPort.
	Port int32
	// HealthPort is where the sidecar answers probes; zero means DefaultHealthPort.
	HealthPort int32
	// Resources of the sidecar. Where none are named, 10m CPU and 32Mi of memory are
	// requested and 128Mi are the limit; otherwise they are taken as they are.
	Resources corev1.ResourceRequirements
	// TLSSecret names the Secret of type kubernetes.io/tls that the sidecar serves
	// with; where it is empty the sidecar serves plain HTTP.
	TLSSecret string
}

// ConfigFor returns how the pods of the server are injected. What the server leaves
// out is as its AuthorizationServer's spec.sidecars, the defaults, says, which may be
// nil; what that leaves out is the operator's own choice, such as the image. A server
// whose pods cannot be injected, whatever they are, is a *Refusal: its spec asks for no
// sidecar, or its ports are in each other's way.
func ConfigFor(server *v1alpha1.MCPServer, defaults *v1alpha1.Sidecar, image string) (Config, error) {
	if server.Spec.Workload == nil {
		return Config{}, refuse("MCPServer %q has no spec.workload, which says that it validates tokens itself; "+
			"set spec.workload.port for a sidecar, or remove the label %s from the pod", server.Name, v1alpha1.ServerLabel)
	}
	own, shared := orNone(server.Spec.Sidecar), orNone(defaults)
	cfg := Config{
		Server:     server.Name,
		Image:      cmp.Or(own.Image, shared.Image, image),
		AppPort:    server.Spec.Workload.Port,
		Port:       cmp.Or(orZero(own.Port), orZero(shared.Port)),
		HealthPort: cmp.Or(orZero(own.HealthPort), orZero(shared.HealthPort)),
		Resources:  resources(own.Resources, shared.Resources),
	}
	if server.Spec.TLS != nil {
		cfg.TLSSecret = server.Spec.TLS.SecretName
	}
	cfg = cfg.withDefaults()
	return cfg, cfg.conflict()
}

// conflict says which two of the three ports are one. The schema cannot see it where
// they come from two objects.
func (c Config) conflict() error {
	switch {
	case c.Port == c.HealthPort:
		return refuse("the sidecar of MCPServer %q would serve clients and probes on one port, %d; "+
			"set spec.sidecar.port or spec.sidecar.healthPort to another", c.Server, c.Port)
	case c.AppPort == c.Port:
		return refuse("port %d of MCPServer %q, its spec.workload.port, is also its sidecar's; set spec.sidecar.port to another", c.AppPort, c.Server)
	case c.AppPort == c.HealthPort:
		return refuse("port %d of MCPServer %q, its spec.workload.port, is also that of its sidecar's probes; set spec.sidecar.healthPort to another", c.AppPort, c.Server)
	}
	return nil
}

// Shape is a short hash of exactly what Inject would write into a pod, apart from the
// name of the port that the sidecar takes over, and of whose port that is. It is the
// same in every process and for every pod of the server, so pods of another Shape have
// another sidecar than they would be given now, or one in front of another port.
func (c Config) Shape() string {
	c = c.withDefaults()
	text, err := json.Marshal(struct {
		Container corev1.Container
		Volumes   []corev1.Volume
		AppPort   int32
	}{c.container(""), c.volumes(), c.AppPort})
	if err != nil {
		panic("injector: the API's own types always marshal: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// ConfigMapName is the name of the ConfigMap that holds the policy of an
// MCPServer, beside it; the entry is policy.FileName.
func ConfigMapName(server string) string { return "mcpauth-" + server + "-policy" }

func (c Config) withDefaults() Config {
	c.Port = cmp.Or(c.Port, DefaultPort)
	c.HealthPort = cmp.Or(c.HealthPort, DefaultHealthPort)
	c.Resources = resources(&c.Resources)
	return c
}

// resources returns the first of the choices that names any, else the operator's. That
// has no CPU limit: throttling would show as latency of every call.
func resources(choices ...*corev1.ResourceRequirements) corev1.ResourceRequirements {
	for _, r := range choices {
		if r != nil && len(r.Requests)+len(r.Limits)+len(r.Claims) > 0 {
			return *r
		}
	}
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")},
	}
}

func orNone(s *v1alpha1.Sidecar) v1alpha1.Sidecar {
	if s == nil {
		return v1alpha1.Sidecar{}
	}
	return *s
}

func orZero(port *int32) int32 {
	if port == nil {
		return 0
	}
	return *port
}
