package policy

import (
	"slices"
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
	Needed string
}

// kind is what an operation's name names.
type kind int

const (
	// session begins and keeps a session: nothing can be asked for it but a token.
	session kind = iota
	// common is what every session may use unless a scope names it.
	common
	tool
	prompt
	resource
	// other is a method that this version does not know.
	other
	// method is what a rule about methods names; no operation is of this kind.
	method
)

var kinds = map[string]kind{
	CallTool:     tool,
	GetPrompt:    prompt,
	ReadResource: resource,
	Subscribe:    resource,
	Unsubscribe:  resource,

	"":                session, // an answer to a request of the server's
	"initialize":      session,
	"server/discover": session,
	"ping":            session,

	"tools/list":               common,
	"prompts/list":             common,
	"resources/list":           common,
	"resources/templates/list": common,
	"roots/list":               common,
	"logging/setLevel":         common,
	"subscriptions/listen":     common,
	// A task's id is known to nobody but the caller that was allowed to begin it.
	"tasks/get":    common,
	"tasks/list":   common,
	"tasks/result": common,
	"tasks/update": common,
	"tasks/cancel": common,
}

func kindOf(method string) kind {
	if k, ok := kinds[method]; ok {
		return k
	}
	if strings.HasPrefix(method, "notifications/") {
		return session
	}
	return other
}

// Known reports whether a method is one that this version knows by its whole name. There
// are few, so that methods may be counted by it.
func Known(method string) bool {
	_, ok := kinds[method]
	return ok
}

// rule is one pattern of one scope.
type rule struct {
	kind    kind
	pattern string
	scope   string
	// holders are the scopes that open it: the rule's own and those that include it.
	holders []string
}

// names reports whether the rule is about the operation of that name.
func (r *rule) names(name string) bool {
	if r.kind == resource && r.pattern != "*" && climbs(name) {
		return r.pattern == name
	}
	return match(r.pattern, name)
}

func (r *rule) openTo(held oauth.ScopeSet) bool { return slices.ContainsFunc(r.holders, held.Has) }

func (p *Policy) addRules(scope Scope, holders []string) {
	add := func(k kind, patterns []string) {
		for _, pattern := range patterns {
			p.rules = append(p.rules, rule{kind: k, pattern: pattern, scope: scope.Name, holders: holders})
			p.constrained = true
		}
	}
	add(tool, scope.Tools)
	add(prompt, scope.Prompts)
	add(resource, scope.Resources)
	add(method, scope.Methods)
}

// holders are, for each scope, those that hold it: itself, and what includes it by
// however many steps. Scopes that include one another hold each other.
func (p *Policy) holders() map[string][]string {
	includes := make(map[string][]string, len(p.Scopes))
	for _, scope := range p.Scopes {
		includes[scope.Name] = scope.Includes
	}
	holders := make(map[string][]string, len(p.Scopes))
	for _, scope := range p.Scopes {
		reached := []string{scope.Name}
		for at := 0; at < len(reached); at++ {
			holders[reached[at]] = append(holders[reached[at]], scope.Name)
			for _, next := range includes[reached[at]] {
				if !slices.Contains(reached, next) {
					reached = append(reached, next)
				}
			}
		}
	}
	return holders
}

// Decide says whether a token with the held scopes may do op. Any one scope that
// names the operation, or includes one that does, opens it. A policy that was not
// prepared allows nothing.
func (p *Policy) Decide(op Operation, held oauth.ScopeSet) Decision {
	if !p.prepared {
		return Decision{Reason: ReasonUnnamed}
	}
	k, name := kindOf(op.Method), op.Name
	if k == session || !p.constrained {
		return Decision{Allowed: true, Reason: ReasonOpen}
	}
	ruled := k
	if k == common || k == other {
		ruled, name = method, op.Method
	}
	var best *rule
	for i := range p.rules {
		r := &p.rules[i]
		if r.kind != ruled || !r.names(name) {
			continue
		}
		if r.openTo(held) {
			return Decision{Allowed: true, Reason: ReasonScope, Needed: r.scope}
		}
		if best == nil || narrower(r.pattern, best.pattern) {
			best = r
		}
	}
	switch {
	case best != nil:
		return Decision{Reason: ReasonInsufficient, Needed: best.scope}
	case k == common:
		return Decision{Allowed: true, Reason: ReasonOpen}
	case p.UnmatchedOperations == Allow:
		return Decision{Allowed: true, Reason: ReasonUnmatched}
	default:
		return Decision{Reason: ReasonUnnamed}
	}
}

// Constrained reports whether any scope names an operation, so that what one caller
// may do another may not.
func (p *Policy) Constrained() bool { return p.constrained }

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
