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
	reasonInvalidProof        = reason(oauth.InvalidDPoPProof)
	reasonMalformed           = reason(oauth.InvalidRequest)
	reasonUnavailable         = reason(oauth.TemporarilyUnavailable)
	reasonOrigin       reason = "origin_not_allowed"
	reasonHeaders      reason = "header_mismatch"
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
	e := audit.Event{
		Decision: audit.Allowed,
		Reason:   string(x.reason),
		Resource: x.site.policy.Resource,
		Status:   x.status,
		Duration: x.options.Now().Sub(x.started),
	}
	if x.refused() {
		e.Decision = audit.Denied
	}
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
	if message.Method == policy.CallTool {
		e.Tool = message.Target()
	}
	e.ScopeNeeded = decision.Needed
	switch {
	case x.reason == reasonUpstream:
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
