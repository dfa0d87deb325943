package v1alpha1

// AuthorizationServerReference names an AuthorizationServer.
type AuthorizationServerReference struct {
	// Name of the AuthorizationServer.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the AuthorizationServer. The referrer's own namespace when absent.
	// The AuthorizationServer's allowedNamespaces decides whether it may be used from elsewhere.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// LocalAuthorizationServerReference names an AuthorizationServer in the same namespace.
type LocalAuthorizationServerReference struct {
	// Name of the AuthorizationServer, in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// LocalServerReference names an MCPServer in the same namespace.
type LocalServerReference struct {
	// Name of the MCPServer, in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// SecretKeyReference names an entry of a Secret in the same namespace.
type SecretKeyReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key of the entry within the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}
