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
	including := func(p *Policy) {
		p.Scopes[1].Includes = []string{"todo:read"}
		p.Scopes = append(p.Scopes, Scope{Name: "owner", Includes: []string{"todo:write"}})
	}
	methods := func(p *Policy) {
		p.Scopes[0].Methods, p.Scopes[2].Methods = []string{"completion/*"}, []string{"logging/setLevel"}
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

		{"a scope that includes another opens what that opens", including, Operation{CallTool, "list_tasks"}, "todo:write",
			Decision{true, ReasonScope, "todo:read"}},
		{"by however many steps", including, Operation{ReadResource, "todo://tasks/1"}, "owner", Decision{true, ReasonScope, "todo:read"}},
		{"the included scope does not open what the other opens", including, Operation{CallTool, "create_task"}, "todo:read",
			Decision{false, ReasonInsufficient, "todo:write"}},
		{"what opens it is asked for, not what includes that", including, Operation{CallTool, "list_tasks"}, "",
			Decision{false, ReasonInsufficient, "todo:read"}},
		{"scopes that include each other hold each other", func(p *Policy) {
			p.Scopes[0].Includes, p.Scopes[1].Includes = []string{"todo:write"}, []string{"todo:read", "unknown"}
		}, Operation{CallTool, "create_task"}, "todo:read", Decision{true, ReasonScope, "todo:write"}},

		{"a method that a scope names", methods, Operation{Method: "completion/complete"}, "todo:read", Decision{true, ReasonScope, "todo:read"}},
		{"a method that every session may use needs the scope that names it", methods, Operation{Method: "logging/setLevel"}, "todo:read",
			Decision{false, ReasonInsufficient, "admin"}},
		{"methods that no scope names are as before", methods, Operation{Method: "tools/list"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"a pattern for methods", func(p *Policy) { p.Scopes[2].Methods = []string{"tasks/*"} }, Operation{Method: "tasks/cancel"}, "todo:read",
			Decision{false, ReasonInsufficient, "admin"}},
		{"naming every method closes none of those that begin a session", func(p *Policy) { p.Scopes[2].Methods = []string{"*"} },
			Operation{Method: "initialize"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"nor those that keep it", func(p *Policy) { p.Scopes[2].Methods = []string{"*"} },
			Operation{Method: "notifications/progress"}, "", Decision{Allowed: true, Reason: ReasonOpen}},
		{"but every other", func(p *Policy) { p.Scopes[2].Methods = []string{"*"} },
			Operation{Method: "tools/list"}, "todo:read", Decision{false, ReasonInsufficient, "admin"}},
		{"of tools the names decide, not the method", func(p *Policy) { p.Scopes[0].Methods = []string{"tools/call"} },
			Operation{CallTool, "create_task"}, "todo:read", Decision{false, ReasonInsufficient, "todo:write"}},
		{"naming methods alone closes tools too", func(p *Policy) {
			unconstrained(p)
			p.Scopes[0].Methods = []string{"logging/*"}
		}, Operation{CallTool, "x"}, "admin", Decision{Reason: ReasonUnnamed}},

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

func TestAttack30_AResourceThatClimbsOutOfItsFolderIsNotMeantByAPattern(t *testing.T) {
	p := todo(t, func(p *Policy) {
		p.Scopes = []Scope{
			{Name: "public", Resources: []string{"file:///public/*", "file:///public/../known"}},
			{Name: "all", Resources: []string{"*"}},
		}
	})
	for _, uri := range []string{
		"file:///public/../etc/passwd", "file:///public/..", "file:///public/a/../../b", "file:///public/./../b",
		"file:///public/%2e%2e/b", "file:///public/%2E./b", "file:///public/..%2fb", "file:///public/%252e%252e/b", "file:///public/%25252e./b",
		`file:///public/..\b`, "file:///public/..;x=y/b", "file:///public/%zz",
	} {
		if d := p.Decide(Operation{ReadResource, uri}, oauth.NewScopeSet("public")); d.Allowed || d.Needed != "all" {
			t.Errorf("%s: %+v", uri, d)
		}
		if d := p.Decide(Operation{Subscribe, uri}, oauth.NewScopeSet("all")); !d.Allowed {
			t.Errorf("%s, with the scope for everything: %+v", uri, d)
		}
	}
	for _, uri := range []string{"file:///public/a.txt", "file:///public/...", "file:///public/.hidden", "file:///public/a%20b", "file:///public/../known"} {
		if d := p.Decide(Operation{ReadResource, uri}, oauth.NewScopeSet("public")); !d.Allowed {
			t.Errorf("%s: %+v", uri, d)
		}
	}
}
