package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OAuthClient is a client that is known beforehand, such as an agent without a browser. Where it authenticates
// with a secret its credentials are delivered in a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=oac,categories=mcpauth
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.status.clientID`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.spec.secret.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type OAuthClient struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wished for.
	Spec OAuthClientSpec `json:"spec"`
	// Status is what the operator says of it.
	// +optional
	Status OAuthClientStatus `json:"status,omitempty"`
}

// OAuthClientSpec is the wish for a client.
// +kubebuilder:validation:XValidation:rule="has(self.clientID) == has(oldSelf.clientID) && (!has(self.clientID) || self.clientID == oldSelf.clientID)",message="clientID is immutable: grants are bound to it"
// +kubebuilder:validation:XValidation:rule="has(self.secret) == (self.tokenEndpointAuthMethod in ['client_secret_basic', 'client_secret_post'])",message="secret goes with client_secret_basic and client_secret_post, and only with them"
// +kubebuilder:validation:XValidation:rule="!('authorization_code' in self.grantTypes) || (has(self.redirectURIs) && size(self.redirectURIs) > 0)",message="authorization_code needs at least one redirectURI"
// +kubebuilder:validation:XValidation:rule="self.tokenEndpointAuthMethod == 'private_key_jwt' ? has(self.jwks) != has(self.jwksURI) : !has(self.jwks) && !has(self.jwksURI)",message="private_key_jwt needs exactly one of jwks and jwksURI; other methods have neither"
// +kubebuilder:validation:XValidation:rule="!('client_credentials' in self.grantTypes) || self.tokenEndpointAuthMethod != 'none'",message="client_credentials needs a credential: set tokenEndpointAuthMethod to client_secret_basic or private_key_jwt"
// +kubebuilder:validation:XValidation:rule="!has(self.workloads) && !has(self.serviceAccounts) || 'urn:ietf:params:oauth:grant-type:jwt-bearer' in self.grantTypes",message="workloads and serviceAccounts need the grant type urn:ietf:params:oauth:grant-type:jwt-bearer"
// +kubebuilder:validation:XValidation:rule="!('urn:ietf:params:oauth:grant-type:jwt-bearer' in self.grantTypes) || self.tokenEndpointAuthMethod != 'none' || size(self.grantTypes) == 1 && (has(self.workloads) || has(self.serviceAccounts))",message="with tokenEndpointAuthMethod none, urn:ietf:params:oauth:grant-type:jwt-bearer needs workloads or serviceAccounts and must be the only grant type"
// +kubebuilder:validation:XValidation:rule="!('refresh_token' in self.grantTypes) || 'authorization_code' in self.grantTypes",message="refresh_token goes with authorization_code"
type OAuthClientSpec struct {
	// ClientID is unique within the AuthorizationServer and immutable. Derived from the object's UID when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`
	ClientID string `json:"clientID,omitempty"`
	// DisplayName is what the consent page calls the client. The object's name when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`
	// ServerRefs name the MCPServers, in the same namespace, that the client may reach.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	ServerRefs []LocalServerReference `json:"serverRefs"`
	// GrantTypes that the client may use.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	GrantTypes []GrantType `json:"grantTypes"`
	// RedirectURIs to which users may be sent back: https URLs, http on loopback hosts (any port), or an
	// application's own scheme. Compared exactly.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	RedirectURIs []string `json:"redirectURIs,omitempty"`
	// TokenEndpointAuthMethod is how the client authenticates: with a secret (client_secret_basic,
	// client_secret_post), with what it signs (private_key_jwt), or not at all (none).
	// +optional
	// +kubebuilder:default=client_secret_basic
	TokenEndpointAuthMethod AuthMethod `json:"tokenEndpointAuthMethod,omitempty"`
	// JWKS is the client's key set as JSON text, with public keys alone, for private_key_jwt.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	JWKS string `json:"jwks,omitempty"`
	// JWKSURI is the https URL at which the client publishes its key set, for private_key_jwt.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https://`
	JWKSURI string `json:"jwksURI,omitempty"`
	// RequirePushedAuthorizationRequests refuses authorization requests of the client that were not pushed
	// (RFC 9126).
	// +optional
	RequirePushedAuthorizationRequests bool `json:"requirePushedAuthorizationRequests,omitempty"`
	// RequireDPoP refuses to issue the client tokens that are not bound to a key (RFC 9449).
	// +optional
	RequireDPoP bool `json:"requireDPoP,omitempty"`
	// Workloads are the programs that act as the client by a token of a trusted issuer, with the grant type
	// urn:ietf:params:oauth:grant-type:jwt-bearer.
	// +optional
	// +listType=map
	// +listMapKey=trustedIssuer
	// +listMapKey=subject
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Workloads []ClientWorkload `json:"workloads,omitempty"`
	// ServiceAccounts are the ServiceAccounts of this cluster whose tokens act as the client. The
	// AuthorizationServer must trust the cluster's issuer.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	ServiceAccounts []ServiceAccountReference `json:"serviceAccounts,omitempty"`
	// Scopes limits what the client may be granted. Every scope of its servers when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Scopes []string `json:"scopes,omitempty"`
	// Secret says where the credentials are.
	// +optional
	Secret *ClientSecret `json:"secret,omitempty"`
}

// GrantType is a grant type by its registered name.
// +kubebuilder:validation:Enum=authorization_code;refresh_token;client_credentials;"urn:ietf:params:oauth:grant-type:jwt-bearer"
type GrantType string

// AuthMethod is a client authentication method by its registered name.
// +kubebuilder:validation:Enum=none;client_secret_basic;client_secret_post;private_key_jwt
type AuthMethod string

// SecretMode says who makes the client secret.
// +kubebuilder:validation:Enum=Generate;Reference
type SecretMode string

// The modes of a client's Secret.
const (
	SecretGenerate  SecretMode = "Generate"
	SecretReference SecretMode = "Reference"
)

// ClientSecret names the Secret with a client's credentials.
type ClientSecret struct {
	// Name of the Secret, in the same namespace. Its entries are client_id, client_secret, issuer and
	// token_endpoint.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Mode is Generate (the operator makes the Secret and owns it) or Reference (it exists, and its
	// client_secret of at least 32 characters is used).
	// +optional
	// +kubebuilder:default=Generate
	Mode SecretMode `json:"mode,omitempty"`
}

// ClientWorkload names a program by the token that it holds.
type ClientWorkload struct {
	// TrustedIssuer is the name of one of the AuthorizationServer's trusted issuers, of type Workload.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	TrustedIssuer string `json:"trustedIssuer"`
	// Subject is the "sub" of its tokens, byte for byte.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Subject string `json:"subject"`
}

// ServiceAccountReference names a ServiceAccount.
type ServiceAccountReference struct {
	// Namespace of the ServiceAccount, which is the OAuthClient's own.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
	// Name of the ServiceAccount.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// OAuthClientStatus is what the operator says of a client.
type OAuthClientStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, ResolvedRefs, Programmed and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ClientID is the client's identifier, given or derived.
	// +optional
	ClientID string `json:"clientID,omitempty"`
}

// OAuthClientList is a list of OAuthClients.
//
// +kubebuilder:object:root=true
type OAuthClientList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the members of the list.
	Items []OAuthClient `json:"items"`
}
