// Package audit is the event that the authorization server and the sidecar
// write for security teams: who did what, through which client, and what was
// decided, denials included.
//
// Events hold names and identifiers, never tokens, secrets or arguments of a
// call. They are one JSON object a line, told apart from other logs by
// "audit": true.
package audit

import (
	"context"
	"log/slog"
	"time"
)

// Decision is how it ended.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Denied  Decision = "denied"
)

// Event is one thing that happened. Empty fields are left out.
type Event struct {
	// Type is what happened, as noun.verb: "token.issued", "tool.called".
	Type     string
	Decision Decision
	// Reason is a word out of a closed set: an OAuth error code or a policy reason.
	Reason       string
	Subject      string
	Email        string
	Organization string
	Client       string
	Grant        string
	GrantType    string
	Resource     string
	Method       string
	Tool         string
	ScopeHeld    string
	ScopeNeeded  string
	Status       int
	Duration     time.Duration
	RemoteAddr   string
}

// Log writes events through a slog.Logger. The zero value discards them.
type Log struct {
	Logger *slog.Logger
}

// Write records the event. It never fails and never blocks longer than the
// logger's own handler.
func (l Log) Write(ctx context.Context, e Event) {
	if l.Logger == nil {
		return
	}
	attrs := make([]slog.Attr, 0, 18)
	attrs = append(attrs, slog.Bool("audit", true), slog.String("decision", string(e.Decision)))
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("reason", e.Reason)
	add("subject", e.Subject)
	add("email", e.Email)
	add("organization", e.Organization)
	add("client", e.Client)
	add("grant", e.Grant)
	add("grant_type", e.GrantType)
	add("resource", e.Resource)
	add("method", e.Method)
	add("tool", e.Tool)
	add("scope_held", e.ScopeHeld)
	add("scope_needed", e.ScopeNeeded)
	add("remote_addr", e.RemoteAddr)
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Duration != 0 {
		attrs = append(attrs, slog.Float64("duration_ms", float64(e.Duration.Microseconds())/1000))
	}
	l.Logger.LogAttrs(ctx, slog.LevelInfo, e.Type, attrs...)
}
