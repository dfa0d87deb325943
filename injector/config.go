package injector

import (
	"cmp"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Ports of the sidecar where a Config names none. They are outside the range of
// ephemeral ports and unlike what applications choose.
const (
	DefaultPort       int32 = 15080
	DefaultHealthPort int32 = 15081
)

// Config says how the pods of one MCPServer are injected.
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
}

// ConfigFor returns how the pods of the server are injected with the image, or a
// *Refusal where its spec asks for no sidecar.
func ConfigFor(server *v1alpha1.MCPServer, image string) (Config, error) {
	if server.Spec.Workload == nil {
		return Config{}, refuse("MCPServer %q has no spec.workload, which says that it validates tokens itself; "+
			"set spec.workload.port for a sidecar, or remove the label %s from the pod", server.Name, v1alpha1.ServerLabel)
	}
	return Config{Server: server.Name, Image: image, AppPort: server.Spec.Workload.Port}, nil
}

// ConfigMapName is the name of the ConfigMap that holds the policy of an
// MCPServer, beside it; the entry is policy.FileName.
func ConfigMapName(server string) string { return "mcpauth-" + server + "-policy" }

func (c Config) withDefaults() Config {
	c.Port = cmp.Or(c.Port, DefaultPort)
	c.HealthPort = cmp.Or(c.HealthPort, DefaultHealthPort)
	return c
}
