package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Sidecar says how the sidecar runs in the pods of an MCP server. What an MCPServer leaves out is as its
// AuthorizationServer says, and what that leaves out as the operator does by itself.
// +kubebuilder:validation:XValidation:rule="!has(self.port) || !has(self.healthPort) || self.port != self.healthPort",message="port and healthPort must differ"
type Sidecar struct {
	// Image is the sidecar's container image. The operator's own choice when absent.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S+$`
	Image string `json:"image,omitempty"`
	// Port is where the sidecar listens for MCP clients. 15080 when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	Port *int32 `json:"port,omitempty"`
	// HealthPort is where the sidecar answers probes and serves metrics. 15081 when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=65535
	HealthPort *int32 `json:"healthPort,omitempty"`
	// Resources of the sidecar's container. 10m CPU and 32Mi of memory are requested, and 128Mi are the limit,
	// when absent.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// LogLevel is that of the sidecar's own messages; audit events are always written. It changes without a
	// restart. Info when absent.
	// +optional
	LogLevel LogLevel `json:"logLevel,omitempty"`
	// Rollout says what becomes of running pods when the sidecar that they should have is another one: Manual
	// leaves them, and Protected says so; Automatic rolls the workload out anew. Manual when absent.
	// +optional
	Rollout Rollout `json:"rollout,omitempty"`
	// Telemetry says where audit events and traces go beside the sidecar's standard output.
	// +optional
	Telemetry *Telemetry `json:"telemetry,omitempty"`
}

// LogLevel says which messages are written.
// +kubebuilder:validation:Enum=Debug;Info;Warn;Error
type LogLevel string

// The levels.
const (
	LogDebug LogLevel = "Debug"
	LogInfo  LogLevel = "Info"
	LogWarn  LogLevel = "Warn"
	LogError LogLevel = "Error"
)

// Rollout says who replaces pods whose sidecar is not the present one.
// +kubebuilder:validation:Enum=Manual;Automatic
type Rollout string

// The two answers to who replaces pods.
const (
	RolloutManual    Rollout = "Manual"
	RolloutAutomatic Rollout = "Automatic"
)

// Telemetry says where OpenTelemetry data goes.
type Telemetry struct {
	// OTLPEndpoint is the base URL of a collector that takes OTLP by HTTP, for example
	// "http://collector.observability.svc:4318". Audit events go to it as logs, and sampled requests as traces.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://[^\s?#@]+$`
	OTLPEndpoint string `json:"otlpEndpoint"`
	// TracePercent is of how many requests in a hundred a trace is begun; a request that belongs to a trace already
	// is in it. There are no traces at all when it is absent.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	TracePercent int32 `json:"tracePercent,omitempty"`
}

// SidecarTLS has the sidecar serve TLS.
type SidecarTLS struct {
	// SecretName names a Secret of type kubernetes.io/tls in the server's namespace. A renewed certificate is
	// used without a restart.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName"`
}

// Limits bound what callers may ask of a server. Each pod counts by itself.
// +kubebuilder:validation:XValidation:rule="!has(self.perTool) || has(self.perTool.requests) && !has(self.perTool.streams)",message="perTool is about requests; tools have no streams"
type Limits struct {
	// PerUser is for all requests of one user; a client that acts for itself counts as one.
	// +optional
	PerUser *Rate `json:"perUser,omitempty"`
	// PerClient is for all requests of one client, whoever its users are.
	// +optional
	PerClient *Rate `json:"perClient,omitempty"`
	// PerTool is for the calls of one tool, whoever calls.
	// +optional
	PerTool *Rate `json:"perTool,omitempty"`
	// MaxBodyBytes is the longest body of a request. 4194304 (4 MiB) when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=67108864
	MaxBodyBytes *int64 `json:"maxBodyBytes,omitempty"`
	// MaxHeaderBytes is the longest head of a request. 32768 when absent.
	// +optional
	// +kubebuilder:validation:Minimum=4096
	// +kubebuilder:validation:Maximum=65536
	MaxHeaderBytes *int32 `json:"maxHeaderBytes,omitempty"`
	// MaxDepth is how deep the JSON of a request may nest. 100 when absent.
	// +optional
	// +kubebuilder:validation:Minimum=8
	// +kubebuilder:validation:Maximum=1000
	MaxDepth *int32 `json:"maxDepth,omitempty"`
}

// Rate is how much may be asked in a time, and at once.
// +kubebuilder:validation:XValidation:rule="has(self.requests) || has(self.streams)",message="set requests, streams or both"
// +kubebuilder:validation:XValidation:rule="has(self.requests) || !has(self.burst)",message="burst goes with requests"
type Rate struct {
	// Requests that may be sent in the time that per names, in the long run.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Requests *int32 `json:"requests,omitempty"`
	// Per is the time that requests is about.
	// +optional
	// +kubebuilder:default=Second
	Per RatePeriod `json:"per,omitempty"`
	// Burst is how many may come at once. As requests when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Burst *int32 `json:"burst,omitempty"`
	// Streams is how many event streams may be open at once. Tools have none.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	Streams *int32 `json:"streams,omitempty"`
}

// RatePeriod is a length of time.
// +kubebuilder:validation:Enum=Second;Minute;Hour
type RatePeriod string

// The lengths of time.
const (
	PerSecond RatePeriod = "Second"
	PerMinute RatePeriod = "Minute"
	PerHour   RatePeriod = "Hour"
)

// ServerRevocation says how a server learns of tokens that ended before their time.
type ServerRevocation struct {
	// FailClosedAfter is for how long the authorization server may be silent before every token is refused, since
	// it may have been revoked: at least 1m. For ever when absent: calls go on while the authorization server is
	// away, and what was revoked meanwhile counts once it is back.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('168h')",message="failClosedAfter must be between 1m and 168h"
	FailClosedAfter *metav1.Duration `json:"failClosedAfter,omitempty"`
}

// ServerAudit says what the audit events of a server hold.
type ServerAudit struct {
	// ArgumentNames writes the names of a call's arguments into its event. Their values are never written.
	// +optional
	// +kubebuilder:default=Disabled
	ArgumentNames Switch `json:"argumentNames,omitempty"`
}
