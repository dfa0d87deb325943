package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Scope is a permission on one or more MCPServers: what consent asks for, what tokens carry, and which
// tools, prompts and resources it opens.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mcpscope,categories=mcpauth
// +kubebuilder:printcolumn:name="Scope",type=string,JSONPath=`.spec.scope`
// +kubebuilder:printcolumn:name="Default",type=boolean,JSONPath=`.spec.default`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Scope struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wished for.
	Spec ScopeSpec `json:"spec"`
	// Status is what the operator says of it.
	// +optional
	Status ScopeStatus `json:"status,omitempty"`
}

// ScopeSpec is the wish for a scope. Where no Scope of a server names tools, prompts, resources or methods, every
// valid token may use all of them; as soon as one does, an operation that none names is refused.
type ScopeSpec struct {
	// Scope is the name that tokens carry, for example "todo:read".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[\x21\x23-\x5B\x5D-\x7E]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="scope is immutable: issued tokens carry it"
	// +kubebuilder:validation:XValidation:rule="!(self in ['openid', 'profile', 'email', 'offline_access'])",message="this name has a meaning of its own in OpenID Connect; choose another"
	Scope string `json:"scope"`
	// Description is what the consent page says, for example "Read your tasks".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=300
	Description string `json:"description"`
	// ServerRefs name the MCPServers, in the same namespace, that the scope belongs to.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	ServerRefs []LocalServerReference `json:"serverRefs"`
	// Tools that the scope opens; * stands for any run of characters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Tools []string `json:"tools,omitempty"`
	// Prompts that the scope opens; * stands for any run of characters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Prompts []string `json:"prompts,omitempty"`
	// Resources that the scope opens, by URI; * stands for any run of characters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Resources []string `json:"resources,omitempty"`
	// Methods that the scope opens beside those, by the method of the message ("completion/complete"); * stands for any
	// run of characters. Once a scope names a method, the method needs such a scope, also if every session may use it
	// otherwise ("logging/setLevel", "tools/list"). Of tools/call, prompts/get and what reads resources the name decides
	// instead, and initialize, server/discover, ping and notifications need no scope.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	Methods []string `json:"methods,omitempty"`
	// Includes names other scopes, of the same servers, that whoever holds this one holds as well: "todo:write" may
	// include "todo:read". What those include is included too.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Includes []string `json:"includes,omitempty"`
	// Default scopes are asked for by requests that name none, and named in the first challenge.
	// +optional
	Default bool `json:"default,omitempty"`
	// GrantTo limits who may be granted the scope. Every user and client when absent.
	// +optional
	GrantTo *GrantTo `json:"grantTo,omitempty"`
}

// GrantTo limits who may be granted a scope. Where several rules are given all of them must hold.
// +kubebuilder:validation:XValidation:rule="has(self.groups) || has(self.organizations) || has(self.condition)",message="set at least one of groups, organizations and condition; leave grantTo out to grant to everybody"
type GrantTo struct {
	// Groups: a user must be in one of them. A client that acts for itself is in none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	Groups []string `json:"groups,omitempty"`
	// Organizations: a user must be in one of them, as the IdentityProvider or trusted issuer states that vouched
	// for the user. A client that acts for itself is in none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=100
	Organizations []string `json:"organizations,omitempty"`
	// Condition is a CEL expression that must be true, for example
	// "user.email.endsWith('@example.com') || 'admins' in user.groups". It may use user.subject, user.email,
	// user.groups, user.organization and user.provider, which are empty where a client acts for itself (except
	// subject), client.id, and grantType ("authorization_code", "refresh_token", "client_credentials" or
	// "urn:ietf:params:oauth:grant-type:jwt-bearer"). Where it fails, the scope is not granted.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Condition string `json:"condition,omitempty"`
}

// ScopeStatus is what the operator says of a scope.
type ScopeStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, ResolvedRefs and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ScopeList is a list of Scopes.
//
// +kubebuilder:object:root=true
type ScopeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the members of the list.
	Items []Scope `json:"items"`
}
