package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IdentityProvider signs the users of one AuthorizationServer in. It lives in the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=idp,categories=mcpauth
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Server",type=string,JSONPath=`.spec.authorizationServerRef.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type IdentityProvider struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wished for.
	Spec IdentityProviderSpec `json:"spec"`
	// Status is what the operator says of it.
	// +optional
	Status IdentityProviderStatus `json:"status,omitempty"`
}

// IdentityProviderType names a kind of provider.
// +kubebuilder:validation:Enum=Static;OIDC
type IdentityProviderType string

// The kinds of providers.
const (
	ProviderStatic IdentityProviderType = "Static"
	ProviderOIDC   IdentityProviderType = "OIDC"
)

// IdentityProviderSpec is the wish for an identity provider: a union over its type.
// +kubebuilder:validation:XValidation:rule="has(self.static) == (self.type == 'Static')",message="static goes with type: Static, and only with it"
// +kubebuilder:validation:XValidation:rule="has(self.oidc) == (self.type == 'OIDC')",message="oidc goes with type: OIDC, and only with it"
type IdentityProviderSpec struct {
	// AuthorizationServerRef names the AuthorizationServer, in the same namespace, whose users it signs in.
	AuthorizationServerRef LocalAuthorizationServerReference `json:"authorizationServerRef"`
	// DisplayName is what the sign-in page calls it. The object's name when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	DisplayName string `json:"displayName,omitempty"`
	// Organization is stated in the tokens of the provider's users.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Organization string `json:"organization,omitempty"`
	// AllowedEmailDomains limits who may sign in to users with a verified e-mail address in one of these
	// domains. Everybody whom the provider knows when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9.-]+$`
	AllowedEmailDomains []string `json:"allowedEmailDomains,omitempty"`

	// Type says which of the members below is set.
	Type IdentityProviderType `json:"type"`
	// Static is a list of users, for trials and small teams.
	// +optional
	Static *StaticProvider `json:"static,omitempty"`
	// OIDC is an OpenID Connect provider.
	// +optional
	OIDC *OIDCProvider `json:"oidc,omitempty"`
}

// StaticProvider is a list of users.
type StaticProvider struct {
	// Users may sign in with their names and passwords.
	// +listType=map
	// +listMapKey=username
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Users []StaticUser `json:"users"`
}

// StaticUser is one user of a Static provider.
type StaticUser struct {
	// Username is typed at sign-in.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=100
	Username string `json:"username"`
	// Email is stated in the user's tokens.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	Email string `json:"email,omitempty"`
	// PasswordHash is the bcrypt hash of the password ("htpasswd -nbB USER PASSWORD" makes one).
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:Pattern=`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`
	PasswordHash string `json:"passwordHash"`
	// Groups are those that Scopes can be limited to.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=200
	Groups []string `json:"groups,omitempty"`
}

// OIDCProvider is an OpenID Connect provider.
type OIDCProvider struct {
	// Issuer is the provider's issuer URL, from which everything else is discovered.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.matches('^http://(localhost|127[.][0-9.]+|[[]::1[]])(:[0-9]+)?(/.*)?$'))",message="issuer must be an https URL; http is for loopback hosts only"
	Issuer string `json:"issuer"`
	// ClientID that the provider gave to this authorization server.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	ClientID string `json:"clientID"`
	// ClientSecretRef names the entry of a Secret, in the same namespace, that holds the client secret.
	// +optional
	ClientSecretRef *SecretKeyReference `json:"clientSecretRef,omitempty"`
	// Scopes to request beside "openid". "profile" and "email" when absent.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	Scopes []string `json:"scopes,omitempty"`
	// Claims names the claims to read, where they differ from the usual ones.
	// +optional
	Claims *ClaimNames `json:"claims,omitempty"`
}

// ClaimNames names the claims that say who somebody is, in an ID token or an assertion.
type ClaimNames struct {
	// Subject claim. "sub" when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Subject string `json:"subject,omitempty"`
	// Email claim. "email" when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Email string `json:"email,omitempty"`
	// Groups claim. "groups" when absent.
	// +optional
	// +kubebuilder:validation:MaxLength=100
	Groups string `json:"groups,omitempty"`
}

// IdentityProviderStatus is what the operator says of an identity provider.
type IdentityProviderStatus struct {
	// ObservedGeneration is the generation that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Accepted, ResolvedRefs and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// CallbackURL is the redirect URI to register at an OIDC provider.
	// +optional
	CallbackURL string `json:"callbackURL,omitempty"`
}

// IdentityProviderList is a list of IdentityProviders.
//
// +kubebuilder:object:root=true
type IdentityProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items are the members of the list.
	Items []IdentityProvider `json:"items"`
}
