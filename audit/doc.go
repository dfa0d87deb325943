// Package audit is the event that the authorization server and the sidecar
// write for security teams: who did what, through which client, and what was
// decided, denials included.
//
// Events hold names and identifiers, never tokens, secrets or arguments of a
// call. A Log is what servers write them to, and a Sink is where they go:
//
//	Log ── Lines ── w            the authorization server: written before it answers
//	Log ── Queue ── Lines ── w   the sidecar: never waits, and counts what it loses
//	   └── Queue ── otlp ── collector
//
// As lines they are one JSON object each, told apart from other logs by
// "audit": true. docs/audit.md has every event and field.
package audit
