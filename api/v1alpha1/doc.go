// Package v1alpha1 is the API of mcpauth as Go types: what a team may wish for,
// and what the operator says of it.
//
// A platform team owns AuthorizationServers and IdentityProviders, application
// teams own MCPServers, Scopes and OAuthClients. All status is told by standard
// conditions (see conditions.go). The package holds no logic; which wishes make
// sense together is the compiler's to say.
//
// +kubebuilder:object:generate=true
// +groupName=mcpauth.dev
package v1alpha1
