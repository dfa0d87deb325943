// Package compiler turns wishes into what is served: one pure function from the
// custom resources and Namespaces to a Catalog for each AuthorizationServer, a
// Policy for each MCPServer, and the Problems of every object.
//
// The operator and the authorization server call the same function on the same
// input, so what status says and what is served cannot disagree:
//
//	AuthorizationServers ─┐            ┌─▶ Catalog   (authorization server)
//	IdentityProviders    ─┤            │
//	MCPServers           ─┼─▶ Compile ─┼─▶ Policy    (sidecar, by way of a ConfigMap)
//	Scopes, OAuthClients ─┤            │
//	Namespaces           ─┘            └─▶ Problems  (conditions, by way of the operator)
//
// An object with a problem is left out of what is served, and only it: the
// others go on. Where two claim one thing the older one keeps it (on equal age
// the one whose namespace and name sort first), so nothing that works stops
// because of a newcomer.
//
// Conditions of Scopes and trusted issuers are CEL expressions. They are compiled
// here, so that a wrong one is a problem of its object and not of a request; what
// one evaluation may cost is bounded, and one that fails refuses.
//
// The compiler never sees Secrets, Pods or Deployments: what depends on those is
// the reconcilers' finding. compiler/kube watches a cluster, compiler/dir reads
// files.
package compiler
