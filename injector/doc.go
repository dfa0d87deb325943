// Package injector puts the validating sidecar into pods, and says of running
// pods whether they really have it.
//
//	before                          after
//	Service ─ "http" ─▶ app :8080   Service ─ "http" ─▶ mcpauth-sidecar :15080 ─▶ 127.0.0.1:8080 app
//
// Inject is the pure function behind admission: from a pod and a Config to the
// Patch that adds a native sidecar, mounts its policy and moves the name of the
// app's port to the sidecar, so that a Service whose targetPort is that name
// needs no change. A pod that cannot be protected is a *Refusal, in words that
// say what to do. Handler is the webhook around it; it fails closed.
//
// Assess and AssessService look at what runs. They believe nothing that a pod
// says of itself: a container counts as the sidecar only if it is the one that
// Inject would write, so both read the same description, in sidecar.go.
//
// What the sidecar does with a request is package sidecar's, and what it
// enforces is package policy's; who restarts pods that lack it is the
// controllers'.
package injector
