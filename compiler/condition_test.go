package compiler_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
)

// granted compiles a world whose scope todo:admin has the rules.
func granted(t *testing.T, rules v1alpha1.GrantTo) *catalog.Scope {
	t.Helper()
	in := world()
	in.Scopes[1].Spec.GrantTo = &rules
	result := compiler.Compile(*in)
	if len(result.Problems) > 0 {
		t.Fatalf("problems: %+v", result.Problems)
	}
	return result.Catalogs[name("mcpauth-system", "main")].Resource("apps-todo").Scope("todo:admin")
}

func TestAConditionDecidesOverUserClientAndGrantType(t *testing.T) {
	alice := catalog.Grantee{
		Subject: "people:alice", Email: "alice@example.com", Groups: []string{"staff", "ops"}, Organization: "Example",
		Provider: "people", ClientID: "https://app.example.com/client.json", GrantType: "authorization_code",
	}
	agent := catalog.Grantee{Subject: "agent", ClientID: "agent", GrantType: "client_credentials"}
	cases := []struct {
		name         string
		condition    string
		alice, agent bool
	}{
		{"everybody", "true", true, true},
		{"nobody", "false", false, false},
		{"a subject", "user.subject == 'people:alice'", true, false},
		{"a domain", "user.email.endsWith('@example.com')", true, false},
		{"a group", "'ops' in user.groups", true, false},
		{"some group", "user.groups.exists(g, g.startsWith('sta'))", true, false},
		{"all groups, of which a client has none", "user.groups.all(g, g != 'admins')", true, true},
		{"an organization", "user.organization == 'Example'", true, false},
		{"a provider", "user.provider == 'people'", true, false},
		{"a client", "client.id == 'agent'", false, true},
		{"a pattern", "client.id.matches('^https://app[.]example[.]com/')", true, false},
		{"a way to get the token", "grantType == 'client_credentials'", false, true},
		{"several at once", "grantType != 'client_credentials' && user.groups.size() == 2", true, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			scope := granted(t, v1alpha1.GrantTo{Condition: c.condition})
			if got := scope.GrantableTo(alice); got != c.alice {
				t.Errorf("to alice: %v, want %v", got, c.alice)
			}
			if got := scope.GrantableTo(agent); got != c.agent {
				t.Errorf("to the agent: %v, want %v", got, c.agent)
			}
		})
	}
}

func TestAllRulesOfAScopeMustHold(t *testing.T) {
	scope := granted(t, v1alpha1.GrantTo{Groups: []string{"staff"}, Organizations: []string{"Example"}, Condition: "user.email != ''"})
	valid := catalog.Grantee{Email: "a@example.com", Groups: []string{"staff"}, Organization: "Example"}
	cases := []struct {
		name   string
		change func(*catalog.Grantee)
		want   bool
	}{
		{"all", func(*catalog.Grantee) {}, true},
		{"not the group", func(g *catalog.Grantee) { g.Groups = nil }, false},
		{"not the organization", func(g *catalog.Grantee) { g.Organization = "Other" }, false},
		{"not the condition", func(g *catalog.Grantee) { g.Email = "" }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			grantee := valid
			c.change(&grantee)
			if got := scope.GrantableTo(grantee); got != c.want {
				t.Errorf("granted: %v, want %v", got, c.want)
			}
		})
	}
}

func TestAConditionThatFailsGrantsToNobody(t *testing.T) {
	groups := make([]string, 300)
	for i := range groups {
		groups[i] = "group-" + strings.Repeat("x", i%7)
	}
	cases := []struct{ name, condition string }{
		{"a division by nothing", "1 / (user.groups.size() - 300) == 0"},
		{"an index out of bounds", "user.groups[300] == 'x'"},
		{"no text for a pattern", "user.email.matches(user.subject)"},
		{"more work than is allowed", "user.groups.all(a, user.groups.all(b, user.groups.all(c, a + b + c != 'x')))"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			scope := granted(t, v1alpha1.GrantTo{Condition: c.condition})
			if scope.GrantableTo(catalog.Grantee{Groups: groups, Subject: "("}) {
				t.Error("granted")
			}
		})
	}
}

func TestAScopeWithAConditionThatDoesNotCompileIsKnownAndGrantedToNobody(t *testing.T) {
	in := world()
	in.Scopes = in.Scopes[:1]
	in.Scopes[0].Spec.GrantTo = &v1alpha1.GrantTo{Condition: "user.admin"}
	result := compiler.Compile(*in)
	scope := result.Catalogs[name("mcpauth-system", "main")].Resource("apps-todo").Scope("todo:read")
	if scope == nil || scope.GrantableTo(catalog.Grantee{Subject: "alice"}) {
		t.Errorf("scope is %+v, want one that nobody is granted", scope)
	}
	if scopes := result.Servers[name("apps", "todo")].Policy.Scopes; len(scopes) != 1 || len(scopes[0].Tools) != 1 {
		t.Errorf("the policy has %+v: without the scope its tools would be open", scopes)
	}
}

func TestAConditionMayBeUsedByManyAtOnce(t *testing.T) {
	scope := granted(t, v1alpha1.GrantTo{Condition: "user.groups.exists(g, g == user.subject)"})
	var group sync.WaitGroup
	for _, subject := range []string{"a", "b", "c", "d"} {
		group.Go(func() {
			for range 200 {
				if !scope.GrantableTo(catalog.Grantee{Subject: subject, Groups: []string{"x", subject}}) || scope.GrantableTo(catalog.Grantee{Subject: subject}) {
					t.Error("one evaluation disturbs another")
					return
				}
			}
		})
	}
	group.Wait()
}

func TestAConditionOverClaimsDecides(t *testing.T) {
	const claims = `{"sub":"repo:example/app","level":3,"admin":true,"labels":["a","b"],"kubernetes.io":{"namespace":"apps"}}`
	cases := []struct {
		name, condition string
		want            bool
	}{
		{"a claim", "claims.sub.startsWith('repo:example/')", true},
		{"another value", "claims.sub == 'repo:other'", false},
		{"a number", "claims.level >= 3", true},
		{"a truth", "claims.admin == true", true},
		{"a member", "'b' in claims.labels", true},
		{"a nested claim", "claims['kubernetes.io'].namespace == 'apps'", true},
		{"a claim that is absent", "claims.team == 'x'", false},
		{"a claim that may be absent", "!has(claims.team) || claims.team == 'x'", true},
		{"a claim of another type", "claims.level.startsWith('3')", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := world()
			trust(in, func(t *v1alpha1.TrustedIssuer) { t.Condition = c.condition })
			result := compiler.Compile(*in)
			trusted := result.Catalogs[name("mcpauth-system", "main")].TrustedIssuers("https://ci.example.com")
			if len(trusted) != 1 {
				t.Fatalf("trusted issuers %+v, problems %+v", trusted, result.Problems)
			}
			var decoded map[string]any
			if err := json.Unmarshal([]byte(claims), &decoded); err != nil {
				t.Fatal(err)
			}
			if got := trusted[0].Condition(decoded); got != c.want {
				t.Errorf("holds: %v, want %v", got, c.want)
			}
			if c.name != "a claim that may be absent" && trusted[0].Condition(nil) {
				t.Error("it holds over no claims at all")
			}
		})
	}
}
