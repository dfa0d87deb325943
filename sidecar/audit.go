package sidecar

import (
	"net"
	"net/http"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// The types of the events that a sidecar writes.
const (
	EventToolCalled      = "tool.called"
	EventPromptFetched   = "prompt.fetched"
	EventResourceRead    = "resource.read"
	EventStreamOpened    = "stream.opened"
	EventSessionEnded    = "session.ended"
	EventRequestReceived = "request.received"
)

// reason is why a request ended as it did: a policy.Reason, or one of these.
type reason string

const (
	reasonNoToken      reason = "no_token"
	reasonInvalidToken        = reason(oauth.InvalidToken)
	reasonRevoked      reason = "revoked"
	reasonInvalidProof        = reason(oauth.InvalidDPoPProof)
	reasonMalformed           = reason(oauth.InvalidRequest)
	reasonUnavailable         = reason(oauth.TemporarilyUnavailable)
	reasonOrigin       reason = "origin_not_allowed"
	reasonSession      reason = "session_mismatch"
	reasonRate         reason = "rate_limited"
	reasonHeaders      reason = "header_mismatch"
	reasonScope               = reason(policy.ReasonInsufficient)
	reasonUnnamed             = reason(policy.ReasonUnnamed)
	reasonUpstream     reason = "upstream_failed"
	// reasonBatch marks what was allowed by itself, in a batch that was refused.
	reasonBatch reason = "batch_refused"
)

// audit writes an event for each message, or one for a request that has none or
// was refused before they were read. A stream is noted when it ends. Arguments
// and results are nobody's business here.
func (x *exchange) audit() {
	if x.site == nil || x.unaudited {
		return
	}
	event := x.event()
	x.options.Metrics.count(x, event.Duration)
	if len(x.decisions) == 0 {
		event.Type = eventType(x.r.Method, "")
		x.options.Audit.Write(x.r.Context(), event)
		return
	}
	for i, decision := range x.decisions {
		x.options.Audit.Write(x.r.Context(), x.ofMessage(event, &x.body.Messages[i], decision))
	}
}

// event is what the exchange's events have in common.
func (x *exchange) event() audit.Event {
	now := x.options.Now()
	e := audit.Event{
		Time:     now,
		Decision: audit.Allowed,
		Reason:   string(x.reason),
		Server:   x.site.policy.Server,
		Resource: x.site.policy.Resource,
		Session:  reference(x.session),
		Status:   x.status,
		Duration: now.Sub(x.started),
		BytesIn:  x.sent,
		BytesOut: x.written,
	}
	if x.refused() {
		e.Decision = audit.Denied
	}
	e.TraceID, e.SpanID = x.span.ids()
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		e.RemoteAddr = host
	}
	if c := x.claims; c != nil {
		e.Subject, e.Email, e.Organization = c.Subject, c.Email, c.Organization
		e.Client, e.Grant, e.ScopeHeld = c.ClientID, c.GrantID, c.Scope.String()
	}
	return e
}

// refused tells our own refusals from what the MCP server answered, or did not.
func (x *exchange) refused() bool { return x.reason != "" && x.reason != reasonUpstream }

func (x *exchange) ofMessage(e audit.Event, message *jsonrpc.Message, decision policy.Decision) audit.Event {
	e.Type, e.Method = eventType(x.r.Method, message.Method), message.Method
	switch e.Type {
	case EventToolCalled:
		e.Tool = message.Name
		if x.site.policy.AuditArgumentNames {
			e.ArgumentNames = message.ArgumentNames()
		}
	case EventPromptFetched:
		e.Prompt = message.Name
		if x.site.policy.AuditArgumentNames {
			e.ArgumentNames = message.ArgumentNames()
		}
	case EventResourceRead:
		e.URI = message.URI
	}
	e.ScopeNeeded = decision.Needed
	switch {
	case x.reason == reasonUpstream, x.reason == reasonRate:
	case decision.Allowed && x.refused():
		e.Reason = string(reasonBatch)
	default:
		e.Reason = string(decision.Reason)
	}
	return e
}

func eventType(httpMethod, method string) string {
	switch {
	case httpMethod == http.MethodGet:
		return EventStreamOpened
	case httpMethod == http.MethodDelete:
		return EventSessionEnded
	case method == policy.CallTool:
		return EventToolCalled
	case method == policy.GetPrompt:
		return EventPromptFetched
	case method == policy.ReadResource:
		return EventResourceRead
	default:
		return EventRequestReceived
	}
}
