package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OAuthClient is a client that is known beforehand, such as an agent without a browser. Its credentials are
// delivered in a Secret.
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
// +kubebuilder:validation:XValidation:rule="has(self.secret) == (self.tokenEndpointAuthMethod != 'none')",message="secret goes with client_secret_basic and client_secret_post, and only with them"
// +kubebuilder:validation:XValidation:rule="!('authorization_code' in self.grantTypes) || (has(self.redirectURIs) && size(self.redirectURIs) > 0)",message="authorization_code needs at least one redirectURI"
// +kubebuilder:validation:XValidation:rule="!('client_credentials' in self.grantTypes) || self.tokenEndpointAuthMethod != 'none'",message="client_credentials needs a secret: set tokenEndpointAuthMethod to client_secret_basic"
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
	// +kubebuilder:validation:MaxItems=3
	GrantTypes []GrantType `json:"grantTypes"`
	// RedirectURIs to which users may be sent back: https URLs, http on loopback hosts (any port), or an
	// application's own scheme. Compared exactly.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=2048
	RedirectURIs []string `json:"redirectURIs,omitempty"`
	// TokenEndpointAuthMethod is how the client authenticates.
	// +optional
	// +kubebuilder:default=client_secret_basic
	TokenEndpointAuthMethod AuthMethod `json:"tokenEndpointAuthMethod,omitempty"`
	// Scopes limits what the client may be granted. Every scope of its servers when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Scopes []string `json:"scopes,omitempty"`
	// Secret says where the credentials are.
	// +optional
	Secret *ClientSecret `json:"secret,omitempty"`
}

// GrantType is a grant type by its registered name.
// +kubebuilder:validation:Enum=authorization_code;refresh_token;client_credentials
type GrantType string

// AuthMethod is a client authentication method by its registered name.
// +kubebuilder:validation:Enum=none;client_secret_basic;client_secret_post
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
