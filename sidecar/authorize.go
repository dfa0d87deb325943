package sidecar

import (
	"net/http"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// authorize asks the policy about every message; one that is refused takes its
// batch with it. Messages without a method answer the server's own requests and
// need a valid token only, as do the streams of GET and the end of a session.
func (x *exchange) authorize() *answer {
	if x.body == nil {
		return nil
	}
	x.decisions = x.single[:0]
	var needed []string
	denied, hopeless := false, false
	for i := range x.body.Messages {
		message := &x.body.Messages[i]
		decision := x.decide(message)
		x.decisions = append(x.decisions, decision)
		if decision.Allowed {
			continue
		}
		denied = true
		hopeless = hopeless || decision.Needed == ""
		needed = append(needed, decision.Needed)
	}
	switch {
	case !denied:
		return nil
	case hopeless:
		return forbidden()
	default:
		return refused(x.site.guard.Insufficient(oauth.NewScopeSet(needed...)))
	}
}

// decide asks the policy about a message, and about every resource that it subscribes to:
// the first that is refused decides.
func (x *exchange) decide(message *jsonrpc.Message) policy.Decision {
	decision := x.site.policy.Decide(policy.Operation{Method: message.Method, Name: message.Target()}, x.claims.Scope)
	for _, uri := range message.Subscriptions {
		if !decision.Allowed {
			break
		}
		if d := x.site.policy.Decide(policy.Operation{Method: policy.Subscribe, Name: uri}, x.claims.Scope); !d.Allowed {
			decision = d
		}
	}
	return decision
}

// forbidden answers 403 without a challenge: no scope opens the operation, so a
// client that was told "insufficient_scope" would send its user to sign in again
// for nothing.
func forbidden() *answer {
	return &answer{
		status: http.StatusForbidden,
		reason: reason(policy.ReasonUnnamed),
		body:   problem{oauth.AccessDenied, "no scope of this server opens this operation; its owner has to name it in a Scope"},
	}
}
