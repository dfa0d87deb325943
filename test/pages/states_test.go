package pages_test

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/page"
)

// logo is what an installation may have; it is drawn for a white ground.
const logo = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 120 40'%3E" +
	"%3Ccircle cx='20' cy='20' r='16' fill='%230b7a5b'/%3E%3Cpath d='M12 20l6 6 11-12' fill='none' stroke='white' stroke-width='4'/%3E" +
	"%3Crect x='46' y='12' width='70' height='16' rx='3' fill='%23143d33'/%3E%3C/svg%3E"

// Text that strangers choose to break a page.
const (
	markup = `<script>alert(1)</script>"'><b>bold</b>`
	// reversed tries to turn around what comes after it.
	reversed = "\u202eelpmaxe\u202d مساعد البريد \u2067"
)

// unbroken is a word that fits nowhere.
func unbroken(length int) string { return strings.Repeat("unbroken", length/8) }

func bare() page.Site { return page.Site{Name: "Example Platform"} }

func branded() page.Site { return page.Site{Name: "Example Platform", Logo: logo} }

func todo() page.Resource {
	return page.Resource{Name: "Todo", URL: "https://mcp.example.com/todo"}
}

func mail() page.Resource {
	return page.Resource{Name: "Company mail", URL: "https://mcp.example.com/mail"}
}

func todoScopes() []page.Scope {
	return []page.Scope{
		{Name: "todo:read", Description: "Read your tasks"},
		{Name: "todo:write", Description: "Create, change and delete tasks, and invite others to your lists"},
	}
}

func coder() page.Client {
	return page.Client{Name: "Claude Code", Origin: page.Document, Host: "claude.ai", URI: "https://claude.ai/code"}
}

func hostile() page.Client {
	return page.Client{Name: reversed + markup + unbroken(160), Origin: page.Document, Host: unbroken(60) + ".example", URI: "https://" + unbroken(200)}
}

func people() []page.Provider { return []page.Provider{{Name: "people", Label: "Example account"}} }

func corp() []page.Provider {
	return []page.Provider{{Name: "corp", Label: "Corp SSO"}, {Name: "partner", Label: "Partner login"}}
}

// states are all that the tests look at: each page in each wording.
func states() []state {
	return slices.Concat(signInStates(), consentStates(), accountStates(), endStates())
}

// signIn is a sign-in page that a state changes.
func signIn(name string, change func(*page.SignIn)) state {
	app, resource := coder(), todo()
	p := page.SignIn{Site: bare(), Client: &app, Resource: &resource, Action: formPath, Request: "sealed", Password: people()}
	change(&p)
	status := http.StatusOK
	if p.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	return state{"sign-in " + name, func(r *page.Renderer, w http.ResponseWriter) error { return r.SignIn(w, status, p) }}
}

func signInStates() []state {
	return []state{
		signIn("for an app", func(p *page.SignIn) { p.Site = branded() }),
		signIn("for connected apps", func(p *page.SignIn) { p.Client, p.Resource = nil, nil }),
		signIn("without a server", func(p *page.SignIn) { p.Resource = nil }),
		signIn("refused", func(p *page.SignIn) {
			p.Username, p.Error = "alice", "The username or the password is wrong."
		}),
		signIn("again", func(p *page.SignIn) { p.Username, p.Notice = "alice", "This app asks you to sign in again." }),
		signIn("with both ways", func(p *page.SignIn) { p.Upstream = corp() }),
		signIn("upstream", func(p *page.SignIn) { p.Site, p.Password, p.Upstream = branded(), nil, corp() }),
		signIn("with several passwords", func(p *page.SignIn) {
			p.Password = append(p.Password, page.Provider{Name: "guests", Label: "Guest account"})
		}),
		signIn("strange", func(p *page.SignIn) {
			app := hostile()
			p.Site, p.Client, p.Resource = page.Site{Name: unbroken(120)}, &app, &page.Resource{Name: unbroken(160), URL: "https://" + unbroken(200)}
			p.Username, p.Error, p.Notice = unbroken(240), unbroken(120), unbroken(120)
			p.Upstream = []page.Provider{{Name: "x", Label: reversed + unbroken(120)}}
		}),
	}
}

// consent is a consent page that a state changes.
func consent(name string, change func(*page.Consent)) state {
	p := page.Consent{
		Site: bare(), Client: page.Client{Name: "Cursor"}, Action: formPath, Request: "sealed",
		Resources:    []page.ResourceScopes{{Resource: todo(), Scopes: todoScopes()}},
		RedirectHost: "app.example.com", Account: "alice@example.com", SwitchURL: linkPath,
	}
	change(&p)
	return state{"consent " + name, func(r *page.Renderer, w http.ResponseWriter) error { return r.Consent(w, p) }}
}

func consentStates() []state {
	here := func(p *page.Consent) { p.Loopback, p.RedirectHost = true, "127.0.0.1:33418" }
	return []state{
		consent("for a registered app", func(p *page.Consent) { p.Native, p.RedirectHost = true, "cursor:" }),
		consent("for a registered program", here),
		consent("for a declared app", func(p *page.Consent) {
			p.Site, p.Client = branded(), page.Client{Name: "Intranet assistant", Origin: page.Declared}
			p.Remembers, p.AccountURL = true, linkPath
		}),
		consent("for a document app", func(p *page.Consent) {
			p.Client, p.RedirectHost = page.Client{Name: "Claude", Origin: page.Document, Host: "claude.ai"}, "claude.ai"
			p.Remembers, p.AccountURL = true, linkPath
		}),
		consent("for a document program", func(p *page.Consent) { here(p); p.Site, p.Client = branded(), coder() }),
		consent("for two servers", func(p *page.Consent) {
			p.Resources = append(p.Resources, page.ResourceScopes{Resource: mail()})
		}),
		consent("again", func(p *page.Consent) {
			p.Remembered, p.WhyAsked, p.Remembers = true, "the app asks for more than before", true
		}),
		consent("before upstream", func(p *page.Consent) { p.Account, p.Upstream = "", "Corp SSO" }),
		consent("refused", func(p *page.Consent) { p.Refused = true }),
		consent("without a name", func(p *page.Consent) {
			p.Client.Name, p.SwitchURL, p.Resources[0].Scopes = "", "", nil
		}),
		consent("strange", func(p *page.Consent) {
			here(p)
			long := page.Scope{Name: unbroken(120), Description: unbroken(200)}
			p.Site, p.Client, p.Account, p.RedirectHost = page.Site{Name: reversed}, hostile(), unbroken(120), unbroken(120)
			p.Resources = []page.ResourceScopes{
				{Resource: page.Resource{Name: unbroken(160), URL: "https://" + unbroken(200)}, Scopes: []page.Scope{long, {Name: "x", Description: reversed}}},
				{Resource: page.Resource{Name: reversed + markup, URL: "https://" + unbroken(200)}},
			}
			p.Remembered, p.WhyAsked, p.Remembers, p.AccountURL = true, unbroken(120), true, linkPath
		}),
	}
}

// account is a page of connected apps that a state changes.
func account(name string, change func(*page.Account)) state {
	since := time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)
	p := page.Account{
		Site: branded(), Account: "alice@example.com", Action: formPath, SignOutAction: formPath, Request: "sealed",
		Apps: []page.App{
			{Client: coder(), Resources: []page.Resource{todo(), mail()}, Scopes: todoScopes(), Since: since, LastUsed: since.AddDate(0, 0, 3), Key: "k1"},
			{Client: page.Client{Name: "Cursor"}, Resources: []page.Resource{todo()}, Scopes: todoScopes()[:1], Since: since, Key: "k2"},
		},
	}
	change(&p)
	return state{"connected apps " + name, func(r *page.Renderer, w http.ResponseWriter) error { return r.Account(w, p) }}
}

func accountStates() []state {
	return []state{
		account("listed", func(*page.Account) {}),
		account("disconnected", func(p *page.Account) {
			p.Apps, p.Notice = p.Apps[1:], "Claude Code is disconnected."
		}),
		account("empty", func(p *page.Account) { p.Apps = nil }),
		account("strange", func(p *page.Account) {
			p.Account, p.Notice = unbroken(120), unbroken(120)
			p.Apps = append(p.Apps, page.App{
				Client: hostile(), Key: "k3", Resources: []page.Resource{{Name: unbroken(160), URL: "https://" + unbroken(200)}},
				Scopes: []page.Scope{{Name: unbroken(120), Description: reversed + unbroken(200)}},
			}, page.App{Key: "k4"})
		}),
	}
}

func endStates() []state {
	failure := func(name string, p page.Failure) state {
		return state{"failure " + name, func(r *page.Renderer, w http.ResponseWriter) error {
			return r.Failure(w, http.StatusBadRequest, p)
		}}
	}
	signedOut := func(name string, p page.SignedOut) state {
		return state{"signed out " + name, func(r *page.Renderer, w http.ResponseWriter) error { return r.SignedOut(w, p) }}
	}
	return []state{
		signedOut("for now", page.SignedOut{Site: branded(), SignInURL: linkPath}),
		signedOut("for good", page.SignedOut{Site: bare()}),
		failure("expired", page.Failure{
			Site: bare(), Title: "This sign-in has expired", Advice: "Go back to the app and start signing in again.",
			Message: "It took too long, or it was started in another browser or window.",
		}),
		failure("with a way back", page.Failure{
			Site: branded(), Title: "This request cannot be continued", Message: "None of the scopes can be granted.", Code: "invalid_scope",
			Advice: "The app can be told so, and may know what to do.", ReturnURL: "https://app.example/callback?error=invalid_scope", ReturnHost: "app.example",
		}),
		failure("with a code", page.Failure{
			Site: branded(), Title: "This request cannot be continued", Message: "No client has this id.", Code: "invalid_client",
			Advice: "Go back to the app and start again. If that does not help, remove this server in the app and add it again.",
		}),
		failure("strange", page.Failure{Site: page.Site{Name: markup}, Title: unbroken(120), Message: reversed + markup + unbroken(300), Advice: unbroken(80), Code: unbroken(80)}),
	}
}
