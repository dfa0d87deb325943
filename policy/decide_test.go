package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth"
)

// todo is a policy with a scope for reading, one for writing, one for everything.
func todo(t *testing.T, change func(*Policy)) *Policy {
	t.Helper()
	p := &Policy{
		Version: Version, Server: "apps/todo", Resource: "https://mcp.example.com/todo",
		Issuers: []string{"https://auth.example.com/resources/apps-todo"}, Audiences: []string{"https://mcp.example.com/todo", "apps-todo"},
		JWKSURL: "https://auth.example.com/keys", Upstream: Upstream{Port: 8080, Path: "/mcp"},
		Scopes: []Scope{
			{Name: "todo:read", Default: true, Tools: []string{"list_*", "get_*"}, Resources: []string{"todo://*"}},
			{Name: "todo:write", Tools: []string{"create_task", "delete_task"}, Prompts: []string{"plan"}},
			{Name: "admin", Tools: []string{"*"}},
		},
	}
	if change != nil {
		change(p)
	}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	return p
}

func unconstrained(p *Policy) {
	for i := range p.Scopes {
		p.Scopes[i].Tools, p.Scopes[i].Prompts, p.Scopes[i].Resources = nil, nil, nil
	}
}

func TestDecide(t *testing.T) {
	allowUnmatched := func(p *Policy) {
		p.UnmatchedOperations = Allow
		p.Scopes = p.Scopes[:2] // without the one that names everything
	}
	withoutAdmin := func(p *Policy) { p.Scopes = p.Scopes[:2] }
	tests := []struct {
		name   string
		change func(*Policy)
		op     Operation
		held   string
		want   Decision
	}{
		{"a held scope opens the tools that it names", nil, Operation{CallTool, "list_tasks"}, "todo:read",
			Decision{true, ReasonScope, "todo:read"}},
		{"any one of several held scopes does", nil, Operation{CallTool, "delete_task"}, "todo:read admin",
			Decision{true, ReasonScope, "admin"}},
		{"another scope is needed: the narrowest is asked for", nil, Operation{CallTool, "delete_task"}, "todo:read",
			Decision{false, ReasonInsufficient, "todo:write"}},
		{"the narrowest is asked for in whatever order the scopes are", func(p *Policy) { slices.Reverse(p.Scopes) }, Operation{CallTool, "delete_task"}, "",
			Decision{false, ReasonInsufficient, "todo:write"}},
		{"a longer pattern is narrower", nil, Operation{CallTool, "list_tasks"}, "",
			Decision{false, ReasonInsufficient, "todo:read"}},
		{"an unnamed tool is opened by the scope that names everything", nil, Operation{CallTool, "drop_database"}, "todo:read todo:write",
			Decision{false, ReasonInsufficient, "admin"}},
		{"an operation that no scope names is refused to everybody", withoutAdmin, Operation{CallTool, "drop_database"}, "todo:read todo:write",
			Decision{Reason: ReasonUnnamed}},
		{"an operation that no scope names is open where the server says so", allowUnmatched, Operation{CallTool, "drop_database"}, "",
			Decision{Allowed: true, Reason: ReasonUnmatched}},
		{"a named operation stays closed where unnamed ones are open", allowUnmatched, Operation{CallTool, "delete_task"}, "",
			Decision{false, ReasonInsufficient, "todo:write"}},
		{"tools are case-sensitive", withoutAdmin, Operation{CallTool, "LIST_TASKS"}, "todo:read", Decision{Reason: ReasonUnnamed}},
		{"a scope is held by its whole name", nil, Operation{CallTool, "create_task"}, "todo todo:writer",
			Decision{false, ReasonInsufficient, "todo:write"}},

		{"a prompt of a tool's name is not that tool", withoutAdmin, Operation{GetPrompt, "list_tasks"}, "todo:read", Decision{Reason: ReasonUnnamed}},
		{"everything among tools is nothing among prompts", nil, Operation{GetPrompt, "plan"}, "admin",
			Decision{false, ReasonInsufficient, "todo:write"}},
		{"a prompt", nil, Operation{GetPrompt, "plan"}, "todo:write", Decision{true, ReasonScope, "todo:write"}},
		{"a resource", nil, Operation{ReadResource, "todo://tasks/1"}, "todo:read", Decision{true, ReasonScope, "todo:read"}},
		{"subscribing is reading", nil, Operation{Subscribe, "todo://tasks/1"}, "", Decision{false, ReasonInsufficient, "todo:read"}},
		{"unsubscribing is reading", nil, Operation{Unsubscribe, "todo://tasks/1"}, "todo:read", Decision{true, ReasonScope, "todo:read"}},
		{"a resource elsewhere", withoutAdmin, Operation{ReadResource, "file:///etc/passwd"}, "todo:read", Decision{Reason: ReasonUnnamed}},

		{"initialize needs a token only", nil, Operation{Method: "initialize"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"ping", nil, Operation{Method: "ping"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"a list", nil, Operation{Method: "tools/list"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"a notification", nil, Operation{Method: "notifications/cancelled"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"an answer to the server", nil, Operation{}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"a method of tomorrow is named by no scope", nil, Operation{Method: "tools/execute", Name: "list_tasks"}, "admin", Decision{Reason: ReasonUnnamed}},
		{"a method in another case is another method", nil, Operation{"Tools/Call", "list_tasks"}, "admin", Decision{Reason: ReasonUnnamed}},
		{"a method that looks like a notification", nil, Operation{"notificationsX", "x"}, "admin", Decision{Reason: ReasonUnnamed}},

		{"where no scope names operations any token may do anything", unconstrained, Operation{CallTool, "drop_database"}, "",
			Decision{Allowed: true, Reason: ReasonOpen}},
		{"also by methods of tomorrow", unconstrained, Operation{Method: "tools/execute"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"without any scope as well", func(p *Policy) { p.Scopes = nil }, Operation{CallTool, "x"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			held, err := oauth.ParseScope(tt.held)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, todo(t, tt.change).Decide(tt.op, held)); diff != "" {
				t.Errorf("the decision (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPolicyThatWasNotPreparedAllowsNothing(t *testing.T) {
	for name, p := range map[string]*Policy{
		"the zero value": {}, "with scopes": {Version: Version, Scopes: []Scope{{Name: "a", Tools: []string{"*"}}}},
		"with everything open": {UnmatchedOperations: Allow},
	} {
		if d := p.Decide(Operation{CallTool, "x"}, oauth.NewScopeSet("a")); d.Allowed {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	p := todo(t, nil)
	p.Version = 99
	if err := p.Prepare(); err == nil {
		t.Fatal("Prepare took version 99")
	}
	if d := p.Decide(Operation{CallTool, "list_tasks"}, oauth.NewScopeSet("todo:read")); d.Allowed {
		t.Errorf("after a failed Prepare: got %+v", d)
	}
}

func TestChallengesNameTheDefaultScopesAndMetadataAll(t *testing.T) {
	p := todo(t, nil)
	if got := p.DefaultScopes().String(); got != "todo:read" {
		t.Errorf("default scopes: %q", got)
	}
	if got := p.SupportedScopes().String(); got != "todo:read todo:write admin" {
		t.Errorf("supported scopes: %q", got)
	}
}
