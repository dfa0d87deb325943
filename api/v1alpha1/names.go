package v1alpha1

// Annotations and labels that people and controllers write.
const (
	// ServerAnnotation on a Deployment or its pod template names the MCPServer, in
	// the same namespace, that protects it.
	ServerAnnotation = "mcpauth.dev/server"
	// ServerLabel on a pod template selects the pods that the admission webhook
	// must see. The operator stamps it; its value is the MCPServer's name.
	ServerLabel = "mcpauth.dev/server"
	// InjectedAnnotation on a pod records what the webhook injected.
	InjectedAnnotation = "mcpauth.dev/injected"
	// SidecarAnnotation on a pod template, which the operator stamps where rollout is
	// Automatic, says which sidecar the pods should have, so that another one begins a
	// rollout. On a pod, the webhook says in it which one it was given.
	SidecarAnnotation = "mcpauth.dev/sidecar"
	// AuthorizationServerLabel marks the objects that the operator made for an
	// AuthorizationServer.
	AuthorizationServerLabel = "mcpauth.dev/authorization-server"
	// ClientIDAnnotation on a mirrored credential names the client it belongs to.
	ClientIDAnnotation = "mcpauth.dev/client-id"
)

// Keys of the Secret that an OAuthClient's credentials are delivered in.
const (
	SecretClientID      = "client_id"
	SecretClientSecret  = "client_secret"
	SecretIssuer        = "issuer"
	SecretTokenEndpoint = "token_endpoint"
)
