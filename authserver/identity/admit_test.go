package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
)

// corp admits verified addresses of corp.com only.
func corp(change func(*catalog.IdentityProvider)) *catalog.IdentityProvider {
	p := &catalog.IdentityProvider{Name: "corp", Organization: "acme", AllowedEmailDomains: []string{"corp.com", "Corp.Example"}}
	if change != nil {
		change(p)
	}
	return p
}

func asserted(change func(*Assertion)) Assertion {
	a := Assertion{
		Provider: "corp", Subject: "u-1", Email: "ann@corp.com", EmailVerified: true,
		Name: "Ann", Groups: []string{"staff", "ops"}, AuthTime: testNow,
	}
	if change != nil {
		change(&a)
	}
	return a
}

func TestAdmitMakesAUserOfAnAssertion(t *testing.T) {
	a := asserted(nil)
	got, err := Admit(corp(nil), a)
	if err != nil {
		t.Fatal(err)
	}
	want := store.User{
		Subject: "corp|u-1", Email: "ann@corp.com", Organization: "acme",
		Groups: []string{"staff", "ops"}, Provider: "corp", AuthTime: testNow,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the user (-want +got):\n%s", diff)
	}
	a.Groups[0] = "changed"
	if got.Groups[0] != "staff" {
		t.Error("the user shares its groups with the assertion")
	}
}

func TestAdmitRefusesWhatIsNotOfTheProviderOrHasNoSubject(t *testing.T) {
	for name, change := range map[string]func(*Assertion){
		"another provider's assertion": func(a *Assertion) { a.Provider = "other" },
		"no provider":                  func(a *Assertion) { a.Provider = "" },
		"no subject":                   func(a *Assertion) { a.Subject = "" },
		"an endless subject":           func(a *Assertion) { a.Subject = strings.Repeat("s", 256) },
	} {
		t.Run(name, func(t *testing.T) {
			if u, err := Admit(corp(nil), asserted(change)); !errors.Is(err, ErrNotAdmitted) || u.Subject != "" {
				t.Errorf("got %+v, %v", u, err)
			}
		})
	}
}

func TestAttack35_OnlyAnAddressWithOneAtHasADomain(t *testing.T) {
	tests := []struct {
		email    string
		admitted bool
	}{
		{"ann@corp.com", true},
		{"ann@CORP.com", true},
		{"Ann+mcp@corp.example", true},
		{"a@evil@corp.com", false},
		{"a@corp.com@evil.com", false},
		{`"a@corp.com"@evil.com`, false},
		{`"a@evil.com"@corp.com`, false},
		{"ann@evil.com", false},
		{"ann@sub.corp.com", false},
		{"ann@evilcorp.com", false},
		{"ann@corp.com.evil.com", false},
		{"ann@corp.com.", false},
		{"ann@corp.com ", false},
		{"ann@evil.com\n@corp.com", false},
		{"ann@evil.com\x00corp.com", false},
		{"ann@\u212Aorp.com", false}, // KELVIN SIGN, whose lower case is k
		{"ann\u00a0@corp.com", false},
		{"@corp.com", false},
		{"ann@", false},
		{"corp.com", false},
		{"", false},
		{strings.Repeat("a", 250) + "@corp.com", false},
	}
	for _, tt := range tests {
		u, err := Admit(corp(nil), asserted(func(a *Assertion) { a.Email = tt.email }))
		switch {
		case tt.admitted && (err != nil || u.Email != tt.email):
			t.Errorf("%q: got %q, %v; want it admitted", tt.email, u.Email, err)
		case !tt.admitted && (!errors.Is(err, ErrNotAdmitted) || u.Subject != ""):
			t.Errorf("%q: got %+v, %v; want it refused", tt.email, u, err)
		}
	}
	korp := corp(func(p *catalog.IdentityProvider) { p.AllowedEmailDomains = []string{"korp.com"} })
	if u, err := Admit(korp, asserted(func(a *Assertion) { a.Email = "ann@\u212Aorp.com" })); err == nil {
		t.Errorf("a letter whose lower case is k: got %+v", u)
	}
}

func TestAttack36_TheDomainRuleHoldsForEveryKindOfProvider(t *testing.T) {
	for name, p := range map[string]*catalog.IdentityProvider{
		"static": corp(func(p *catalog.IdentityProvider) { p.Static = &catalog.StaticProvider{} }),
		"oidc":   corp(func(p *catalog.IdentityProvider) { p.OIDC = &catalog.OIDCProvider{} }),
	} {
		if u, err := Admit(p, asserted(func(a *Assertion) { a.Email = "ann@evil.com" })); !errors.Is(err, ErrNotAdmitted) {
			t.Errorf("%s: got %+v, %v", name, u, err)
		}
		if u, err := Admit(p, asserted(nil)); err != nil || u.Organization != "acme" {
			t.Errorf("%s: got organisation %q, %v", name, u.Organization, err)
		}
	}
}

func TestAttack38_AnUnverifiedAddressIsNobodys(t *testing.T) {
	unverified := asserted(func(a *Assertion) { a.EmailVerified = false })
	if u, err := Admit(corp(nil), unverified); !errors.Is(err, ErrNotAdmitted) {
		t.Errorf("it satisfied the domain rule: %+v, %v", u, err)
	}
	open := corp(func(p *catalog.IdentityProvider) { p.AllowedEmailDomains = nil })
	u, err := Admit(open, unverified)
	if err != nil || u.Email != "" {
		t.Errorf("without a domain rule: got e-mail %q, %v; want the user without it", u.Email, err)
	}
	u, err = Admit(open, asserted(func(a *Assertion) { a.Email = "a@evil@corp.com" }))
	if err != nil || u.Email != "" {
		t.Errorf("with an ambiguous address: got e-mail %q, %v; want the user without it", u.Email, err)
	}
}

func TestSubjectsAreUniqueAcrossProvidersAndSafeToWriteAnywhere(t *testing.T) {
	tests := []struct{ provider, subject, want string }{
		{"people", "alice", "people|alice"},
		{"corp", "auth0|5f7c8ec7", "corp|auth0|5f7c8ec7"},
		{"corp|auth0", "5f7c8ec7", "corp%7Cauth0|5f7c8ec7"},
		{"corp", "ann@corp.com", "corp|ann@corp.com"},
		{"corp", "https://idp/users/1", "corp|https://idp/users/1"},
		{"corp", "a b", "corp|a%20b"},
		{"corp", "a%20b", "corp|a%2520b"},
		{"corp", "a\r\nX-Mcp-Auth-Subject: root", "corp|a%0D%0AX-Mcp-Auth-Subject:%20root"},
		{"corp", `"<ä,>"`, "corp|%22%3C%C3%A4%2C%3E%22"},
	}
	seen := map[string]string{}
	for _, tt := range tests {
		got := SubjectOf(tt.provider, tt.subject)
		if got != tt.want {
			t.Errorf("SubjectOf(%q, %q) = %q, want %q", tt.provider, tt.subject, got, tt.want)
		}
		if before, taken := seen[got]; taken {
			t.Errorf("%q and %q share the subject %q", before, tt.subject, got)
		}
		seen[got] = tt.subject
	}
}
