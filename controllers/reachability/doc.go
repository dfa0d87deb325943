// Package reachability says whether other pods reach a port of a pod, past the
// sidecar that guards it.
//
//	Examine ─ what NetworkPolicies promise ─┐
//	                                        ├─▶ is the port closed?
//	Prober  ─ what a connection shows      ─┘
//
// Examine reads policies as Kubernetes defines them. A promise is not enough: many
// network plugins store NetworkPolicies and enforce none, and an app that listens on
// its loopback address alone is closed without any. So a Prober tries the port from
// where the operator runs, which is another pod. It works in the background, asks
// again from time to time, and says when an answer comes or changes.
//
// What one pod can try has limits. A network plugin that rejects what it does not
// admit, rather than drop it, looks like an app that does not listen. An EndpointSlice
// that somebody made by hand, a Gateway or an Ingress leads to the port just where the
// port is open, so none of them is looked at by itself.
//
// What becomes of the answers is package controllers'.
package reachability
