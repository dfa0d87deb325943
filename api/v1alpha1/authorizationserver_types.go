package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AuthorizationServer is an OAuth 2.1 authorization server that runs in the cluster. It signs people
// in, registers clients and issues the access tokens of every MCPServer that refers to it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=authz,categories=mcpauth
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.spec.issuer`
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.spec.storage.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 50",message="the name is part of the names of the objects made for it, so it may have at most 50 characters"
type AuthorizationServer struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wished for.
	Spec AuthorizationServerSpec `json:"spec"`
	// Status is what the operator says of it.
	// +optional
	Status AuthorizationServerStatus `json:"status,omitempty"`
}

// AuthorizationServerSpec is the wish for an authorization server.
type AuthorizationServerSpec struct {
	// Issuer is the URL under which clients reach the server from outside, byte for byte; it is the "iss" of
	// every token. It must be https, except on loopback hosts (127.0.0.1, ::1, localhost) for trials.
	// Clients and tokens are bound to it, so it cannot change.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.matches('^http://(localhost|127[.][0-9.]+|[[]::1[]])(:[0-9]+)?(/.*)?$'))",message="issuer must be an https URL; http is for loopback hosts only"
	// +kubebuilder:validation:XValidation:rule="!self.contains('?') && !self.contains('#') && !self.contains('@') && !self.endsWith('/')",message="issuer must have no query, fragment, user information or trailing slash"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="issuer is immutable: tokens and registered clients are bound to it"
	Issuer string `json:"issuer"`

	// DisplayName is the installation's name on sign-in and consent pages. The issuer's host when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`

	// Storage keeps registered clients and grants.
	Storage Storage `json:"storage"`

	// AllowedNamespaces says from which namespaces MCPServers may refer to this server.
	// +optional
	// +kubebuilder:default={from: Same}
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// Registration says which clients may come that no OAuthClient describes.
	// +optional
	Registration *Registration `json:"registration,omitempty"`

	// TrustedProxies are the networks, in CIDR notation, of the proxies and load balancers in front of the
	// server. Limits by address and audit events count the address that these report in X-Forwarded-For; nobody
	// else's report is believed. None when absent, so that everybody behind one proxy shares one limit.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	TrustedProxies []string `json:"trustedProxies,omitempty"`
}

// StorageType names a database.
// +kubebuilder:validation:Enum=SQLite
type StorageType string

// StorageSQLite is a database file on a volume, for one replica.
const StorageSQLite StorageType = "SQLite"

// Storage is a union over its type.
// +kubebuilder:validation:XValidation:rule="!has(self.sqlite) || self.type == 'SQLite'",message="sqlite is for storage of type SQLite"
type Storage struct {
	// Type is SQLite: a database file on a volume; one replica.
	Type StorageType `json:"type"`
	// SQLite describes the volume.
	// +optional
	SQLite *SQLiteStorage `json:"sqlite,omitempty"`
}

// SQLiteStorage is the volume of the database file.
type SQLiteStorage struct {
	// Size of the volume. 1Gi when absent.
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`
	// StorageClassName of the volume. The cluster's default when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// NamespacesFrom is a way to name a set of namespaces.
// +kubebuilder:validation:Enum=Same;All;Selector
type NamespacesFrom string

// The ways to name a set of namespaces.
const (
	NamespacesSame     NamespacesFrom = "Same"
	NamespacesAll      NamespacesFrom = "All"
	NamespacesSelector NamespacesFrom = "Selector"
)

// AllowedNamespaces names a set of namespaces.
// +kubebuilder:validation:XValidation:rule="has(self.selector) == (self.from == 'Selector')",message="selector goes with from: Selector, and only with it"
type AllowedNamespaces struct {
	// From is Same (the server's own namespace), All, or Selector.
	// +kubebuilder:default=Same
	From NamespacesFrom `json:"from"`
	// Selector matches the labels of the allowed namespaces.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// Switch turns something on or off.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Switch string

// The two positions of a Switch.
const (
	Enabled  Switch = "Enabled"
	Disabled Switch = "Disabled"
)

// Registration says which clients may come by themselves.
type Registration struct {
	// Dynamic registration (RFC 7591): AI hosts register themselves. Everybody who registers still needs a
	// user's sign-in and consent.
	// +optional
	// +kubebuilder:default=Enabled
	Dynamic Switch `json:"dynamic,omitempty"`
	// AllowedRedirectHosts limits the https hosts to which registered clients may have users sent back.
	// Any host when absent. Loopback redirects of native applications are always allowed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:MinLength=1
	AllowedRedirectHosts []string `json:"allowedRedirectHosts,omitempty"`
}

// AuthorizationServerStatus is what the operator says of an authorization server.
type AuthorizationServerStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, Programmed, Available and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Endpoints are the addresses that clients and sidecars use.
	// +optional
	Endpoints *AuthorizationServerEndpoints `json:"endpoints,omitempty"`
	// Keys are the signing keys that the server publishes, the oldest first.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=16
	Keys []SigningKeyStatus `json:"keys,omitempty"`
}

// AuthorizationServerEndpoints are the addresses of an authorization server.
type AuthorizationServerEndpoints struct {
	// Metadata is the discovery document's URL (RFC 8414).
	Metadata string `json:"metadata"`
	// JWKS is the key set's URL.
	JWKS string `json:"jwks"`
	// Service is the base URL inside the cluster.
	Service string `json:"service"`
}

// SigningKeyStatus is one signing key, without any of its secrets.
type SigningKeyStatus struct {
	// ID is the "kid" of the tokens it signs.
	ID string `json:"id"`
	// Algorithm is the "alg" of the tokens it signs.
	Algorithm string `json:"algorithm"`
	// Phase is Pending (published, not signing yet), Active or Retired (published, not signing any more).
	Phase string `json:"phase"`
	// Created is when the key was made.
	Created metav1.Time `json:"created"`
}

// AuthorizationServerList is a list of AuthorizationServers.
//
// +kubebuilder:object:root=true
type AuthorizationServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the members of the list.
	Items []AuthorizationServer `json:"items"`
}
