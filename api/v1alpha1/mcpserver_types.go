package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MCPServer is an MCP server to protect: tokens for its URL are issued by the AuthorizationServer, and a
// sidecar in the pods of its workload lets only valid ones through.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mcps,categories=mcpauth
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.spec.url`
// +kubebuilder:printcolumn:name="Protected",type=string,JSONPath=`.status.conditions[?(@.type=="Protected")].status`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Issuer",type=string,priority=1,JSONPath=`.status.issuer`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name is used as a label value, so it may have at most 63 characters"
type MCPServer struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wished for.
	Spec MCPServerSpec `json:"spec"`
	// Status is what the operator says of it.
	// +optional
	Status MCPServerStatus `json:"status,omitempty"`
}

// MCPServerSpec is the wish for a protected MCP server.
// +kubebuilder:validation:XValidation:rule="has(self.resourceID) == has(oldSelf.resourceID) && (!has(self.resourceID) || self.resourceID == oldSelf.resourceID)",message="resourceID is immutable: issued tokens carry it"
// +kubebuilder:validation:XValidation:rule="!has(self.refreshTokenIdleLifetime) || !has(self.refreshTokenMaxLifetime) || duration(self.refreshTokenIdleLifetime) <= duration(self.refreshTokenMaxLifetime)",message="refreshTokenMaxLifetime must not be shorter than refreshTokenIdleLifetime"
type MCPServerSpec struct {
	// AuthorizationServerRef names the AuthorizationServer that issues the server's tokens.
	AuthorizationServerRef AuthorizationServerReference `json:"authorizationServerRef"`

	// URL is what users type into their AI host, byte for byte: the resource identifier (RFC 8707) that tokens
	// are for. It must be https, except on loopback hosts for trials.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.matches('^http://(localhost|127[.][0-9.]+|[[]::1[]])(:[0-9]+)?(/.*)?$'))",message="url must be an https URL; http is for loopback hosts only"
	// +kubebuilder:validation:XValidation:rule="!self.contains('?') && !self.contains('#') && !self.contains('@')",message="url must have no query, fragment or user information"
	URL string `json:"url"`

	// ResourceID is the server's short name at the AuthorizationServer, whose issuer for it is
	// {issuer}/resources/{resourceID}. "<namespace>-<name>" when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$`
	ResourceID string `json:"resourceID,omitempty"`

	// DisplayName is what the consent page calls the server. The object's name when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// Workload says where the server listens in its pods. When absent the server runs elsewhere and
	// validates tokens itself.
	// +optional
	Workload *Workload `json:"workload,omitempty"`

	// AccessTokenLifetime is between 5m and 60m.
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('5m') && duration(self) <= duration('60m')",message="accessTokenLifetime must be between 5m and 60m"
	AccessTokenLifetime *metav1.Duration `json:"accessTokenLifetime,omitempty"`

	// RefreshTokenIdleLifetime is how long a refresh token lives that nobody uses: between 1h and 8760h.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="refreshTokenIdleLifetime must be between 1h and 8760h"
	RefreshTokenIdleLifetime *metav1.Duration `json:"refreshTokenIdleLifetime,omitempty"`

	// RefreshTokenMaxLifetime is how long a user's sign-in can be refreshed at all: between
	// refreshTokenIdleLifetime and 43800h. Then the user signs in again.
	// +optional
	// +kubebuilder:default="2160h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('43800h')",message="refreshTokenMaxLifetime must be between 1h and 43800h"
	RefreshTokenMaxLifetime *metav1.Duration `json:"refreshTokenMaxLifetime,omitempty"`

	// Registration narrows which clients may come to this server that no OAuthClient describes. What the
	// AuthorizationServer refuses stays refused. As the AuthorizationServer says when absent.
	// +optional
	Registration *ServerRegistration `json:"registration,omitempty"`

	// TokenBinding is Optional, or DPoPRequired: tokens must be bound to a key of the client (RFC 9449), so that
	// a stolen one is of no use. Few AI hosts can do that today.
	// +optional
	// +kubebuilder:default=Optional
	TokenBinding TokenBinding `json:"tokenBinding,omitempty"`

	// OpenIDConnect offers the scopes "openid" and "email", with which a client gets an ID token that says who
	// the user is.
	// +optional
	// +kubebuilder:default=Disabled
	OpenIDConnect Switch `json:"openIDConnect,omitempty"`

	// UnmatchedOperations says what becomes of tools, prompts and resources that no Scope names, once any
	// Scope of this server names some: Deny refuses them, Allow opens them to every valid token.
	// +optional
	// +kubebuilder:default=Deny
	UnmatchedOperations UnmatchedOperations `json:"unmatchedOperations,omitempty"`

	// AllowedOrigins are the origins of web pages whose scripts may call the server ("https://app.example.com").
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^(\*|https?://[^/?#@\s]+)$`
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`

	// ListFiltering leaves out of the answers to tools/list, prompts/list and resources/list what the caller's scopes
	// do not open. It is for the eyes of models alone: what is refused is refused whether or not it is listed.
	// +optional
	// +kubebuilder:default=Enabled
	ListFiltering Switch `json:"listFiltering,omitempty"`

	// Limits bound what callers may ask. None but those of sizes when absent.
	// +optional
	Limits *Limits `json:"limits,omitempty"`

	// Revocation says what becomes of calls while revocations cannot be heard of.
	// +optional
	Revocation *ServerRevocation `json:"revocation,omitempty"`

	// Audit says what the sidecar's audit events hold.
	// +optional
	Audit *ServerAudit `json:"audit,omitempty"`

	// Sidecar says how the sidecar runs in the server's pods. As the AuthorizationServer says when absent.
	// +optional
	Sidecar *Sidecar `json:"sidecar,omitempty"`

	// TLS has the sidecar serve TLS. When absent it serves plain HTTP, for an ingress or a mesh in front that
	// serves TLS.
	// +optional
	TLS *SidecarTLS `json:"tls,omitempty"`
}

// UnmatchedOperations says what becomes of operations that no Scope names.
// +kubebuilder:validation:Enum=Deny;Allow
type UnmatchedOperations string

// The two answers to unmatched operations.
const (
	UnmatchedDeny  UnmatchedOperations = "Deny"
	UnmatchedAllow UnmatchedOperations = "Allow"
)

// TokenBinding says whether tokens must be bound to a key.
// +kubebuilder:validation:Enum=Optional;DPoPRequired
type TokenBinding string

// The two answers to whether tokens must be bound.
const (
	TokenBindingOptional     TokenBinding = "Optional"
	TokenBindingDPoPRequired TokenBinding = "DPoPRequired"
)

// ServerRegistration narrows, for one MCP server, which clients may come by themselves.
type ServerRegistration struct {
	// Dynamic registration (RFC 7591).
	// +optional
	// +kubebuilder:default=Enabled
	Dynamic Switch `json:"dynamic,omitempty"`
	// MetadataDocuments: client ids that are URLs of metadata documents.
	// +optional
	// +kubebuilder:default=Enabled
	MetadataDocuments Switch `json:"metadataDocuments,omitempty"`
	// AllowedRedirectHosts limits the https hosts to which such clients may have users sent back.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:MinLength=1
	AllowedRedirectHosts []string `json:"allowedRedirectHosts,omitempty"`
	// AllowedDocumentHosts limits the hosts of metadata documents.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:MinLength=1
	AllowedDocumentHosts []string `json:"allowedDocumentHosts,omitempty"`
	// BlockedClients are the ids of clients that are refused, however they came.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	BlockedClients []string `json:"blockedClients,omitempty"`
	// MaxClients is how many dynamic registrations of this server are kept at most. The AuthorizationServer's
	// bound alone when absent.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxClients *int32 `json:"maxClients,omitempty"`
}

// Workload is where an MCP server listens within its pods.
type Workload struct {
	// Port is the container port on which the server listens. The sidecar takes over the name that the
	// container gives to it, so a Service whose targetPort is that name leads to the sidecar.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// Path is the server's MCP endpoint. The path of url when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/-]*$`
	Path string `json:"path,omitempty"`
	// MessagePath is where clients post their messages if the server speaks HTTP with SSE, as MCP 2024-11-05 has it
	// ("/messages/"); path is then that of its event stream. It must be the same outside. Absent for streamable HTTP.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/-]*$`
	MessagePath string `json:"messagePath,omitempty"`
	// NetworkPolicy is Managed, where the operator keeps a NetworkPolicy that closes port to everybody while it lets
	// all other ports be, or Unmanaged, where somebody else sees to it.
	// +optional
	// +kubebuilder:default=Managed
	NetworkPolicy PolicyManagement `json:"networkPolicy,omitempty"`
}

// PolicyManagement says who keeps a NetworkPolicy.
// +kubebuilder:validation:Enum=Managed;Unmanaged
type PolicyManagement string

// The two answers to who keeps a NetworkPolicy.
const (
	PolicyManaged   PolicyManagement = "Managed"
	PolicyUnmanaged PolicyManagement = "Unmanaged"
)

// MCPServerStatus is what the operator says of an MCP server.
type MCPServerStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, ResolvedRefs, Programmed, Protected and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ResourceID is the server's short name at the AuthorizationServer.
	// +optional
	ResourceID string `json:"resourceID,omitempty"`
	// Issuer is the issuer of the server's tokens.
	// +optional
	Issuer string `json:"issuer,omitempty"`
	// MetadataURL is where clients find the protected resource metadata (RFC 9728).
	// +optional
	MetadataURL string `json:"metadataURL,omitempty"`
	// Scopes are the scopes of the server.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	Scopes []string `json:"scopes,omitempty"`
	// Clients is how many OAuthClients may reach the server.
	// +optional
	Clients int32 `json:"clients"`
	// Pods counts the pods of the workload.
	// +optional
	Pods *PodCounts `json:"pods,omitempty"`
}

// PodCounts counts the pods of a workload.
type PodCounts struct {
	// Total is how many run.
	Total int32 `json:"total"`
	// Protected is how many of them run the sidecar.
	Protected int32 `json:"protected"`
}

// MCPServerList is a list of MCPServers.
//
// +kubebuilder:object:root=true
type MCPServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the members of the list.
	Items []MCPServer `json:"items"`
}
