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
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || self.replicas <= 1 || self.storage.type == 'PostgreSQL'",message="more than one replica needs storage of type PostgreSQL: a SQLite file has one writer"
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

	// Logo is an image for sign-in and consent pages, as a data URI in base64 of at most 64 KiB: PNG, SVG or WebP
	// ("data:image/svg+xml;base64,..."). No image when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=65536
	// +kubebuilder:validation:Pattern=`^data:image/(png|svg[+]xml|webp);base64,[A-Za-z0-9+/]+={0,2}$`
	Logo string `json:"logo,omitempty"`

	// Storage keeps registered clients, grants and sessions.
	Storage Storage `json:"storage"`

	// Replicas is how many pods serve. More than one needs storage of type PostgreSQL.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	Replicas *int32 `json:"replicas,omitempty"`

	// SigningAlgorithm is the "alg" of access tokens: RS256, which everything understands, ES256 or EdDSA.
	// It cannot change.
	// +optional
	// +kubebuilder:default=RS256
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="signingAlgorithm is immutable: tokens in use are verified by keys of it"
	SigningAlgorithm SigningAlgorithm `json:"signingAlgorithm,omitempty"`

	// SessionLifetime is how long a browser stays signed in: between 0s, which asks for sign-in at each
	// authorization, and 720h.
	// +optional
	// +kubebuilder:default="12h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('720h')",message="sessionLifetime must be between 0s and 720h"
	SessionLifetime *metav1.Duration `json:"sessionLifetime,omitempty"`

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

	// StrictAssertionAudience accepts the issuer alone as the audience of what clients sign (private_key_jwt);
	// without it the URL of the token endpoint is accepted too, as many libraries write it.
	// +optional
	StrictAssertionAudience bool `json:"strictAssertionAudience,omitempty"`

	// Outbound says what the server may fetch of what strangers name: metadata documents and key sets of
	// clients. When absent, public addresses by https alone.
	// +optional
	Outbound *Outbound `json:"outbound,omitempty"`

	// TrustedIssuers are those whose assertions clients redeem for tokens, with the grant type
	// urn:ietf:params:oauth:grant-type:jwt-bearer (RFC 7523).
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	TrustedIssuers []TrustedIssuer `json:"trustedIssuers,omitempty"`

	// Sidecars says how the sidecars of the server's MCPServers run where those say nothing.
	// +optional
	Sidecars *Sidecar `json:"sidecars,omitempty"`
}

// SigningAlgorithm is a JWS algorithm by its registered name.
// +kubebuilder:validation:Enum=RS256;ES256;EdDSA
type SigningAlgorithm string

// The algorithms that access tokens can be signed with.
const (
	SigningRS256 SigningAlgorithm = "RS256"
	SigningES256 SigningAlgorithm = "ES256"
	SigningEdDSA SigningAlgorithm = "EdDSA"
)

// Outbound says what a server may fetch beyond public addresses.
type Outbound struct {
	// PrivateHosts are the hosts, by name or IPv4 address, that may have private or loopback addresses.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`
	PrivateHosts []string `json:"privateHosts,omitempty"`
	// CABundle holds certificates in PEM that count beside those of public authorities.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=131072
	CABundle string `json:"caBundle,omitempty"`
}

// TrustedIssuerType says what the assertions of a trusted issuer are.
// +kubebuilder:validation:Enum=Workload;IdentityAssertion
type TrustedIssuerType string

// The types of trusted issuers.
const (
	TrustedWorkload          TrustedIssuerType = "Workload"
	TrustedIdentityAssertion TrustedIssuerType = "IdentityAssertion"
)

// TrustedIssuer is whose assertions are redeemed for tokens.
// +kubebuilder:validation:XValidation:rule="has(self.issuer) != (has(self.cluster) && self.cluster)",message="issuer is needed, except with cluster: true, where the server finds it out"
// +kubebuilder:validation:XValidation:rule="!has(self.cluster) || !self.cluster || self.type == 'Workload'",message="cluster: true goes with type: Workload"
// +kubebuilder:validation:XValidation:rule="!has(self.cluster) || !self.cluster || !has(self.jwks) && !has(self.jwksURI)",message="cluster: true needs no keys: the cluster tells them"
// +kubebuilder:validation:XValidation:rule="!has(self.jwks) || !has(self.jwksURI)",message="set jwks or jwksURI, not both"
type TrustedIssuer struct {
	// Name is what OAuthClients call it, and part of the subjects of its tokens. An issuer of identity
	// assertions may have the name of the IdentityProvider with the same issuer: its users are then the same
	// users.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Name string `json:"name"`
	// Type is Workload (tokens that a platform gives to programs, such as Kubernetes ServiceAccount tokens and
	// SPIFFE JWTs) or IdentityAssertion (what an enterprise's identity provider gives to a client that is to act
	// for a user, an ID-JAG).
	Type TrustedIssuerType `json:"type"`
	// Issuer is the "iss" of the assertions, byte for byte.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S+$`
	Issuer string `json:"issuer,omitempty"`
	// Cluster stands for the issuer of the ServiceAccount tokens of the cluster that the server runs in. There
	// can be one such issuer.
	// +optional
	Cluster bool `json:"cluster,omitempty"`
	// JWKSURI is the https URL of the issuer's key set. Discovered from issuer when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https://`
	JWKSURI string `json:"jwksURI,omitempty"`
	// JWKS is the issuer's key set itself, as JSON text with public keys alone, for an issuer that cannot be
	// reached.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	JWKS string `json:"jwks,omitempty"`
	// Organization is stated in the tokens.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Organization string `json:"organization,omitempty"`
	// AllowedEmailDomains limits whose assertions are accepted to those with a verified e-mail address in one
	// of these domains.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9.-]+$`
	AllowedEmailDomains []string `json:"allowedEmailDomains,omitempty"`
	// Claims names the claims to read, where they differ from the usual ones.
	// +optional
	Claims *ClaimNames `json:"claims,omitempty"`
	// Condition is a CEL expression over "claims", the assertion's claims, that must be true, for example
	// "claims.repository_owner == 'example'". Where it fails, as on a claim that is absent, the assertion is
	// refused.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Condition string `json:"condition,omitempty"`
}

// StorageType names a database.
// +kubebuilder:validation:Enum=SQLite;PostgreSQL
type StorageType string

// The databases.
const (
	// StorageSQLite is a database file on a volume, for one replica.
	StorageSQLite StorageType = "SQLite"
	// StoragePostgreSQL is a database elsewhere, for any number of replicas.
	StoragePostgreSQL StorageType = "PostgreSQL"
)

// Storage is a union over its type.
// +kubebuilder:validation:XValidation:rule="!has(self.sqlite) || self.type == 'SQLite'",message="sqlite is for storage of type SQLite"
// +kubebuilder:validation:XValidation:rule="has(self.postgresql) == (self.type == 'PostgreSQL')",message="postgresql goes with type: PostgreSQL, and only with it"
type Storage struct {
	// Type is SQLite (a database file on a volume; one replica) or PostgreSQL (a database elsewhere; any number
	// of replicas). A change moves no data: everybody registers and signs in anew.
	Type StorageType `json:"type"`
	// SQLite describes the volume.
	// +optional
	SQLite *SQLiteStorage `json:"sqlite,omitempty"`
	// PostgreSQL says where the database is.
	// +optional
	PostgreSQL *PostgreSQLStorage `json:"postgresql,omitempty"`
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

// PostgreSQLStorage is a PostgreSQL database.
type PostgreSQLStorage struct {
	// URLSecretRef names the entry of a Secret, in the same namespace, that holds the connection URL
	// ("postgresql://user:password@host:5432/database?sslmode=verify-full"). The user must own its schema, and a
	// connection pooler in between must pool sessions. Pods read the URL when they start, so restart the
	// Deployment after a change.
	URLSecretRef SecretKeyReference `json:"urlSecretRef"`
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
	// user's sign-in and consent. Disabled refuses those that registered before as well.
	// +optional
	// +kubebuilder:default=Enabled
	Dynamic Switch `json:"dynamic,omitempty"`
	// AllowedRedirectHosts limits the https hosts to which registered clients may have users sent back.
	// Any host when absent. Loopback redirects of native applications are always allowed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:MinLength=1
	AllowedRedirectHosts []string `json:"allowedRedirectHosts,omitempty"`
	// MetadataDocuments: a client may use the URL of its metadata document as its client id, which registers
	// nothing.
	// +optional
	// +kubebuilder:default=Enabled
	MetadataDocuments Switch `json:"metadataDocuments,omitempty"`
	// AllowedDocumentHosts limits the hosts of metadata documents. Any host when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:MinLength=1
	AllowedDocumentHosts []string `json:"allowedDocumentHosts,omitempty"`
	// Documents are metadata documents that are never fetched, because they are here.
	// +optional
	// +listType=map
	// +listMapKey=clientID
	// +kubebuilder:validation:MaxItems=32
	Documents []ClientDocument `json:"documents,omitempty"`
	// BlockedClients are the ids of clients that are refused, however they came.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	BlockedClients []string `json:"blockedClients,omitempty"`
	// UnusedLifetime is how long a dynamic registration is kept that was never used: between 1h and 8760h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="unusedLifetime must be between 1h and 8760h"
	UnusedLifetime *metav1.Duration `json:"unusedLifetime,omitempty"`
	// MaxClients is how many dynamic registrations are kept at most. The oldest that were never used make room
	// for new ones.
	// +optional
	// +kubebuilder:default=10000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MaxClients *int32 `json:"maxClients,omitempty"`
}

// ClientDocument is a client's metadata document that is not fetched.
type ClientDocument struct {
	// ClientID is the client's id: the https URL at which the document would be.
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https://`
	ClientID string `json:"clientID"`
	// Document is the metadata document as JSON text. Its client_id is clientID.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=5120
	Document string `json:"document"`
}

// AuthorizationServerStatus is what the operator says of an authorization server.
type AuthorizationServerStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, ResolvedRefs, Programmed, Available and Ready.
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
