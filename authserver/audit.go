package authserver

import (
	"net/http"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/store"
)

// The events that the server writes.
const (
	eventSignInSucceeded  = "signin.succeeded"
	eventSignInFailed     = "signin.failed"
	eventConsentApproved  = "consent.approved"
	eventConsentDenied    = "consent.denied"
	eventTokenIssued      = "token.issued"
	eventTokenRefused     = "token.refused"
	eventTokenRevoked     = "token.revoked"
	eventGrantRevoked     = "grant.revoked"
	eventClientRegistered = "client.registered"
	eventClientUpdated    = "client.updated"
	eventClientDeleted    = "client.deleted"
	eventAppDisconnected  = "app.disconnected"
	eventSignedOut        = "signin.ended"
)

func (s *Server) record(r *http.Request, e audit.Event) {
	if addr := s.remoteAddr(r); addr.IsValid() {
		e.RemoteAddr = addr.String()
	}
	s.opts.Audit.Write(r.Context(), e)
}

func (s *Server) auditSignIn(r *request, g *stage, decision audit.Decision, reason string, user store.User) {
	event := eventSignInSucceeded
	if decision == audit.Denied {
		event = eventSignInFailed
	}
	s.record(r.Request, audit.Event{
		Type: event, Decision: decision, Reason: reason,
		Subject: user.Subject, Email: user.Email, Organization: user.Organization,
		Client: g.ClientID, Resource: firstURL(g.resources),
	})
}

func (s *Server) auditConsent(r *request, g *stage, decision audit.Decision) {
	e := audit.Event{
		Type: eventConsentApproved, Decision: decision,
		Client: g.ClientID, Resource: firstURL(g.resources), ScopeNeeded: g.Scope.String(),
	}
	if decision == audit.Denied {
		e.Type, e.Reason = eventConsentDenied, "access_denied"
	}
	if g.User != nil {
		e.Subject, e.Email, e.Organization = g.User.Subject, g.User.Email, g.User.Organization
	}
	s.record(r.Request, e)
}
