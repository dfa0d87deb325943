// Package controllers holds the operator's reconcilers, one for each kind of
// custom resource.
//
//	AuthorizationServer ─▶ runs the server: keys, account, volume, Deployment, Service
//	IdentityProvider    ─▶ conditions
//	MCPServer           ─▶ policy for the sidecars, NetworkPolicy for the app's port,
//	                       label on the workload, is it protected?
//	Scope               ─▶ conditions
//	OAuthClient         ─▶ Secret with the credentials, their hashes for the server
//
// What a custom resource means is the compiler's to say: a reconciler looks its
// object up in the newest result and waits where that is about an older
// generation; the compiler's source calls it again. What depends on Secrets,
// Pods, Services, NetworkPolicies and Deployments is its own finding, and whether a
// port is open is package reachability's to try. A reconciler reads once into
// a struct, runs its phases in the order in which Reconcile names them, and
// writes the status of its own kind, and of no other, once.
//
// Children are described in package manifests and written by server-side apply,
// each controller with a field manager of its own, and only where the cached
// object is not as it should be: in a steady state nothing is sent.
package controllers
