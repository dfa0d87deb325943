package policy

import (
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

// The methods that act on something by name.
const (
	CallTool     = "tools/call"
	GetPrompt    = "prompts/get"
	ReadResource = "resources/read"
	Subscribe    = "resources/subscribe"
	Unsubscribe  = "resources/unsubscribe"
)

// Operation is what one JSON-RPC message asks for.
type Operation struct {
	Method string
	// Name is the tool, the prompt or the resource's URI; empty for methods that
	// act on nothing by name.
	Name string
}

// Reason says why an operation was decided as it was; audit events carry it.
type Reason string

// The reasons.
const (
	ReasonOpen         Reason = "Open"              // no scope names operations, or the method needs a token only
	ReasonScope        Reason = "Scope"             // a held scope opens it
	ReasonUnmatched    Reason = "UnmatchedAllowed"  // no scope names it, and the server allows such
	ReasonInsufficient Reason = "InsufficientScope" // another scope would open it
	ReasonUnnamed      Reason = "NoScopeOpensIt"    // no scope names it, so nobody may
)

// Decision is the answer to one operation.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Needed is the scope that a challenge asks for: one that opens the operation.
	// It is empty where none does or none is needed.
	Needed oauth.ScopeSet
}

// kind is what an operation's name names.
type kind int

const (
	// session is what every session needs: it acts on nothing by name.
	session kind = iota
	tool
	prompt
	resource
	// other is a method that this version does not know; no scope can name it.
	other
)

var kinds = map[string]kind{
	CallTool:     tool,
	GetPrompt:    prompt,
	ReadResource: resource,
	Subscribe:    resource,
	Unsubscribe:  resource,

	"":                         session, // an answer to a request of the server's
	"initialize":               session,
	"server/discover":          session,
	"ping":                     session,
	"tools/list":               session,
	"prompts/list":             session,
	"resources/list":           session,
	"resources/templates/list": session,
	"roots/list":               session,
	"logging/setLevel":         session,
	"subscriptions/listen":     session,
	// A task's id is known to nobody but the caller that was allowed to begin it.
	"tasks/get":    session,
	"tasks/list":   session,
	"tasks/result": session,
	"tasks/update": session,
	"tasks/cancel": session,
}

func kindOf(method string) kind {
	if strings.HasPrefix(method, "notifications/") {
		return session
	}
	if k, ok := kinds[method]; ok {
		return k
	}
	return other
}

// rule is one pattern of one scope.
type rule struct {
	kind    kind
	pattern string
	scope   string
}

func (p *Policy) addRules(scope Scope) {
	add := func(k kind, patterns []string) {
		for _, pattern := range patterns {
			p.rules = append(p.rules, rule{kind: k, pattern: pattern, scope: scope.Name})
			p.constrained = true
		}
	}
	add(tool, scope.Tools)
	add(prompt, scope.Prompts)
	add(resource, scope.Resources)
}

// Decide says whether a token with the held scopes may do op. Any one scope that
// names the operation opens it. A policy that was not prepared allows nothing.
func (p *Policy) Decide(op Operation, held oauth.ScopeSet) Decision {
	if !p.prepared {
		return Decision{Reason: ReasonUnnamed}
	}
	k := kindOf(op.Method)
	if k == session || !p.constrained {
		return Decision{Allowed: true, Reason: ReasonOpen}
	}
	var best *rule
	for i := range p.rules {
		r := &p.rules[i]
		if r.kind != k || !match(r.pattern, op.Name) {
			continue
		}
		if held.Has(r.scope) {
			return Decision{Allowed: true, Reason: ReasonScope, Needed: oauth.NewScopeSet(r.scope)}
		}
		if best == nil || narrower(r.pattern, best.pattern) {
			best = r
		}
	}
	switch {
	case best != nil:
		return Decision{Reason: ReasonInsufficient, Needed: oauth.NewScopeSet(best.scope)}
	case p.UnmatchedOperations == Allow:
		return Decision{Allowed: true, Reason: ReasonUnmatched}
	default:
		return Decision{Reason: ReasonUnnamed}
	}
}

// narrower prefers, among the scopes that would open an operation, the one whose
// pattern says most about it: asking for admin:* where one tool's own scope would
// do is how people come to grant everything.
func narrower(a, b string) bool {
	exactA, exactB := !strings.Contains(a, "*"), !strings.Contains(b, "*")
	if exactA != exactB {
		return exactA
	}
	return len(a) > len(b)
}
