package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth"
)

// content is a small installation.
func content(change func(*Content)) Content {
	c := Content{
		Issuer: "https://auth.example.com", DisplayName: "Example", Registration: Registration{Dynamic: true},
		Resources: []*Resource{
			{ID: "apps-todo", URL: "https://mcp.example.com/todo", DisplayName: "Todo", Scopes: []*Scope{
				{Name: "todo:read", Description: "Read your tasks", Default: true},
				{Name: "todo:write", Description: "Change your tasks", Groups: []string{"staff", "ops"}},
			}},
			{ID: "apps-mail", URL: "https://Mail.example.com"},
		},
		Clients: []*Client{
			{ID: "agent", Resources: []oauth.ResourceID{"apps-todo"}},
			{ID: "other", Resources: nil},
		},
		Providers: []*IdentityProvider{{Name: "people", Static: &StaticProvider{}}, {Name: "corp", OIDC: &OIDCProvider{}}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func newCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := New(content(nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEverythingIsFoundByItsOwnName(t *testing.T) {
	c := newCatalog(t)
	if r := c.Resource("apps-todo"); r == nil || r.DisplayName != "Todo" {
		t.Errorf("Resource: %+v", r)
	}
	if client := c.Client("agent"); client == nil || !slices.Equal(client.Resources, []oauth.ResourceID{"apps-todo"}) {
		t.Errorf("Client: %+v", client)
	}
	if c.Issuer() != "https://auth.example.com" || c.DisplayName() != "Example" || !c.Registration().Dynamic {
		t.Error("the installation's own facts are wrong")
	}
}

func TestWhatIsNotThereIsNil(t *testing.T) {
	c := newCatalog(t)
	for _, name := range []string{"", "unknown", "APPS-TODO", "apps-todo ", "Agent"} {
		if c.Resource(oauth.ResourceID(name)) != nil || c.Client(name) != nil {
			t.Errorf("%q is something", name)
		}
	}
}

func TestAResourceIsFoundByItsIndicatorAsRFC8707ComparesIt(t *testing.T) {
	c := newCatalog(t)
	for indicator, want := range map[string]oauth.ResourceID{
		"https://mcp.example.com/todo":   "apps-todo",
		"HTTPS://MCP.example.com/todo":   "apps-todo",
		"https://mail.example.com/":      "apps-mail",
		"https://MAIL.example.com":       "apps-mail",
		"https://mcp.example.com/todo/":  "",
		"https://mcp.example.com/Todo":   "",
		"https://mcp.example.com/":       "",
		"https://mcp.example.com/todo#x": "",
		"apps-todo":                      "",
		"":                               "",
	} {
		var got oauth.ResourceID
		if r := c.ResourceByIndicator(indicator); r != nil {
			got = r.ID
		}
		if got != want {
			t.Errorf("ResourceByIndicator(%q) = %q, want %q", indicator, got, want)
		}
	}
}

func TestListsAreOrdered(t *testing.T) {
	c := newCatalog(t)
	var ids []string
	for _, r := range c.Resources() {
		ids = append(ids, string(r.ID))
	}
	for _, p := range c.Providers() {
		ids = append(ids, p.Name)
	}
	if diff := cmp.Diff([]string{"apps-mail", "apps-todo", "corp", "people"}, ids); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
}

func TestConflictsAreErrorsThatNameTheObject(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Content)
		says   string
	}{
		{"two resources of one id", func(c *Content) { c.Resources[1].ID = "apps-todo" }, "apps-todo"},
		{"two resources of one URL", func(c *Content) { c.Resources[1].URL = c.Resources[0].URL }, c0URL},
		{"two spellings of one URL", func(c *Content) { c.Resources[1].URL = "https://MCP.example.com/todo" }, "another resource"},
		{"a root with and without a slash", func(c *Content) { c.Resources[0].URL = "https://mail.example.com/" }, "another resource"},
		{"a resource without a URL", func(c *Content) { c.Resources[1].URL = "" }, "apps-mail"},
		{"two clients of one id", func(c *Content) { c.Clients[1].ID = "agent" }, "agent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if c, err := New(content(tt.change)); err == nil || c != nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, %v; want an error that says %q", c, err, tt.says)
			}
		})
	}
}

const c0URL = "https://mcp.example.com/todo"

func TestAnEmptyCatalogAnswersEverythingWithNil(t *testing.T) {
	c, err := New(Content{Issuer: "https://auth.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Resource("x") != nil || c.ResourceByIndicator("https://h/") != nil || c.Client("x") != nil || len(c.Providers()) != 0 || len(c.Resources()) != 0 {
		t.Error("there is something in it")
	}
}

func TestAResourceKnowsItsScopes(t *testing.T) {
	r := newCatalog(t).Resource("apps-todo")
	if got := r.ScopeNames().String(); got != "todo:read todo:write" {
		t.Errorf("ScopeNames = %q", got)
	}
	if got := r.DefaultScopes().String(); got != "todo:read" {
		t.Errorf("DefaultScopes = %q", got)
	}
	if s := r.Scope("todo:write"); s == nil || s.Description != "Change your tasks" {
		t.Errorf("Scope = %+v", s)
	}
	if r.Scope("todo") != nil || r.Scope("") != nil {
		t.Error("a scope is found by part of its name")
	}
	if diff := cmp.Diff([]string{"https://mcp.example.com/todo", "apps-todo"}, r.Audience()); diff != "" {
		t.Errorf("Audience (-want +got):\n%s", diff)
	}
}

func TestAScopeOfGroupsIsForTheirMembers(t *testing.T) {
	r := newCatalog(t).Resource("apps-todo")
	tests := []struct {
		scope  string
		groups []string
		want   bool
	}{
		{"todo:read", nil, true},
		{"todo:read", []string{"anybody"}, true},
		{"todo:write", []string{"anybody", "ops"}, true},
		{"todo:write", []string{"anybody"}, false},
		{"todo:write", []string{"STAFF"}, false},
		{"todo:write", []string{""}, false},
		{"todo:write", nil, false},
	}
	for _, tt := range tests {
		if got := r.Scope(tt.scope).GrantableTo(Grantee{Groups: tt.groups}); got != tt.want {
			t.Errorf("%s to %v: got %v, want %v", tt.scope, tt.groups, got, tt.want)
		}
	}
}
