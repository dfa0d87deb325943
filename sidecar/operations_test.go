package sidecar

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

// asking is a message without parameters, or with one.
func asking(method string, params ...string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + strings.Join(params, ",") + `}}`
}

// withMethods has scopes name methods.
func withMethods(p *policy.Policy) {
	p.Scopes[0].Methods = []string{"completion/complete"}
	p.Scopes[2].Methods = []string{"logging/*", "vendor/*"}
}

func TestMethodsAreOpenedByTheScopesThatNameThem(t *testing.T) {
	allowing := func(p *policy.Policy) { p.UnmatchedOperations = policy.Allow }
	chain := func(p *policy.Policy) {
		p.Scopes[2].Includes, p.Scopes[1].Includes = []string{"todo:write"}, []string{"todo:read"}
	}
	circle := func(p *policy.Policy) { chain(p); p.Scopes[0].Includes = []string{"todo:admin"} }
	tests := []struct {
		name   string
		policy func(*policy.Policy)
		scope  string
		body   string
		want   int
	}{
		{"a common method that no scope names is open", nil, "", asking("logging/setLevel"), 200},
		{"once named it needs the scope", withMethods, "todo:read", asking("logging/setLevel"), 403},
		{"and has it", withMethods, "todo:admin", asking("logging/setLevel"), 200},
		{"completion that no scope names", nil, "todo:read", asking("completion/complete"), 403},
		{"completion that the server leaves open", allowing, "", asking("completion/complete"), 200},
		{"completion that a scope names", withMethods, "todo:read", asking("completion/complete"), 200},
		{"completion without the scope", withMethods, "todo:write", asking("completion/complete"), 403},
		{"a method of an extension by a pattern", withMethods, "todo:admin", asking("vendor/thing"), 200},
		{"without the scope, where others are open", func(p *policy.Policy) { withMethods(p); allowing(p) }, "todo:read", asking("vendor/thing"), 403},
		{"another, where others are open", func(p *policy.Policy) { withMethods(p); allowing(p) }, "todo:read", asking("elsewhere/thing"), 200},
		{"no method opens a tool", func(p *policy.Policy) { p.Scopes[0].Methods = []string{"*"} }, "todo:read", call("purge"), 403},
		{"no method closes the session", func(p *policy.Policy) { p.Scopes[2].Methods = []string{"*"} }, "", initialize, 200},
		{"nor a ping", func(p *policy.Policy) { p.Scopes[2].Methods = []string{"*"} }, "", asking("ping"), 200},
		{"a list that is named", func(p *policy.Policy) { p.Scopes[2].Methods = []string{"tools/list"} }, "todo:read", asking("tools/list"), 403},
		{"subscribing to a resource", nil, "todo:read", asking("resources/subscribe", `"uri":"todo://1"`), 200},
		{"subscribing to another", nil, "todo:read", asking("resources/subscribe", `"uri":"file:///x"`), 403},
		{"subscribing without the scope", nil, "todo:write", asking("resources/subscribe", `"uri":"todo://1"`), 403},
		{"unsubscribing", nil, "todo:write", asking("resources/unsubscribe", `"uri":"todo://1"`), 403},
		{"a scope that includes another", chain, "todo:write", call("get_task"), 200},
		{"by two steps", chain, "todo:admin", call("get_task"), 200},
		{"not the other way", chain, "todo:read", call("create_task"), 403},
		{"not without being told", nil, "todo:admin", call("get_task"), 403},
		{"in a circle, down", circle, "todo:admin", call("get_task"), 200},
		{"in a circle, up", circle, "todo:read", call("purge"), 200},
		{"a scope that is not the server's", chain, "todo:everything", call("get_task"), 403},
		{"unmatched and denied", nil, "todo:read todo:write todo:admin", call("unheard_of"), 403},
		{"unmatched and allowed", allowing, "", call("unheard_of"), 200},
		{"matched, where others are allowed", allowing, "", call("purge"), 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t, func(p *policy.Policy) {
				if tt.policy != nil {
					tt.policy(p)
				}
			})
			wantStatus(t, b.post(t, token(t, tt.scope), tt.body), tt.want)
			if tt.want != 200 {
				b.untouched(t)
			}
		})
	}
}

var scopeInChallenge = regexp.MustCompile(`scope="([^"]*)"`)

func TestAChallengeAsksForAllThatIsMissingAndNothingThatIsHeld(t *testing.T) {
	batch := func(messages ...string) string { return "[" + strings.Join(messages, ",") + "]" }
	including := func(p *policy.Policy) {
		withMethods(p)
		p.Scopes[2].Includes = []string{"todo:write"}
	}
	for _, tt := range []struct {
		name, held, body, want string
	}{
		{"one call", "todo:read", call("create_task"), "todo:write"},
		{"two scopes for a batch", "todo:read", batch(call("create_task"), call("get_task"), call("purge")), "todo:write todo:admin"},
		{"each once", "todo:read", batch(call("create_task"), call("delete_task"), call("create_task")), "todo:write"},
		{"tools, methods, prompts and resources", "", batch(call("create_task"), asking("logging/setLevel"),
			asking("prompts/get", `"name":"x"`), asking("resources/subscribe", `"uri":"todo://1"`)), "todo:read todo:write todo:admin"},
		{"what the batch needs and has stays out", "todo:read todo:admin", batch(call("get_task"), call("purge")), ""},
		{"the scope itself rather than one that includes it", "todo:read", call("create_task"), "todo:write"},
		{"what is held by inclusion", "todo:admin", batch(call("create_task"), asking("completion/complete")), "todo:read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t, including)
			got := b.post(t, token(t, tt.held), tt.body)
			if tt.want == "" {
				wantStatus(t, got, 200)
				return
			}
			wantStatus(t, got, 403)
			b.untouched(t)
			challenge := got.challenge()
			found := scopeInChallenge.FindStringSubmatch(challenge)
			if found == nil || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, "resource_metadata=") {
				t.Fatalf("challenge: %s", challenge)
			}
			asked, want := strings.Fields(found[1]), strings.Fields(tt.want)
			slices.Sort(asked)
			slices.Sort(want)
			if !slices.Equal(asked, want) {
				t.Errorf("it asks for %q, want %q", found[1], tt.want)
			}
		})
	}
}

// No sign-in would help, so that none is asked for.
func TestABatchThatNothingOpensIsNotChallenged(t *testing.T) {
	b := protect(t)
	got := b.post(t, token(t, "todo:read"), "["+call("create_task")+","+call("unheard_of")+"]")
	wantStatus(t, got, http.StatusForbidden)
	if got.challenge() != "" || !strings.Contains(got.body, "access_denied") {
		t.Errorf("%s %s", got.challenge(), got.body)
	}
	b.untouched(t)
}
