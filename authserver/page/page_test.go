package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/page"
)

// written is a page that the renderer wrote.
func written(t *testing.T, write func(*page.Renderer, http.ResponseWriter) error) *httptest.ResponseRecorder {
	t.Helper()
	renderer, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := write(renderer, w); err != nil {
		t.Fatal(err)
	}
	return w
}

func signIn(t *testing.T, p page.SignIn) *httptest.ResponseRecorder {
	t.Helper()
	return written(t, func(r *page.Renderer, w http.ResponseWriter) error { return r.SignIn(w, http.StatusOK, p) })
}

func consent(t *testing.T, p page.Consent) *httptest.ResponseRecorder {
	t.Helper()
	return written(t, func(r *page.Renderer, w http.ResponseWriter) error { return r.Consent(w, p) })
}

func account(t *testing.T, p page.Account) *httptest.ResponseRecorder {
	t.Helper()
	return written(t, func(r *page.Renderer, w http.ResponseWriter) error { return r.Account(w, p) })
}

// asked is a consent page that a case changes.
func asked(change func(*page.Consent)) page.Consent {
	p := page.Consent{
		Site: page.Site{Name: "Example"}, Client: page.Client{Name: "Sample App"}, Action: "/oauth/consent", Request: "sealed",
		Resources: []page.ResourceScopes{{
			Resource: page.Resource{Name: "Todo", URL: "https://mcp.example.com/todo"},
			Scopes:   []page.Scope{{Name: "todo:read", Description: "Read your tasks"}},
		}},
		RedirectHost: "app.example", Account: "alice@example.com",
	}
	change(&p)
	return p
}

// each writes every page with the same strange text wherever a stranger's may be.
func each(t *testing.T, strange string) map[string]*httptest.ResponseRecorder {
	t.Helper()
	site := page.Site{Name: strange, Logo: strange}
	app := page.Client{Name: strange, Origin: page.Document, Host: strange, URI: strange}
	resource := page.Resource{Name: strange, URL: strange}
	scopes := []page.Scope{{Name: strange, Description: strange}}
	providers := []page.Provider{{Name: strange, Label: strange}, {Name: "b", Label: "B"}}
	ask := page.Consent{
		Site: site, Client: app, Resources: []page.ResourceScopes{{Resource: resource, Scopes: scopes}, {Resource: resource}},
		Action: "/oauth/consent", Request: strange, RedirectHost: strange, Account: strange, SwitchURL: "/switch", Loopback: true,
		Remembered: true, WhyAsked: strange, Remembers: true, AccountURL: strange,
	}
	refused, upstream := ask, ask
	refused.Refused, upstream.Account, upstream.Upstream = true, "", strange
	return map[string]*httptest.ResponseRecorder{
		"sign-in": signIn(t, page.SignIn{
			Site: site, Client: &app, Resource: &resource, Action: "/oauth/signin", Request: strange,
			Password: providers, Upstream: providers, Username: strange, Notice: strange, Error: strange,
		}),
		"consent": consent(t, ask), "refused consent": consent(t, refused), "upstream consent": consent(t, upstream),
		"account": account(t, page.Account{
			Site: site, Account: strange, Action: "/account", SignOutAction: "/signout", Request: strange, Notice: strange,
			Apps: []page.App{{Client: app, Resources: []page.Resource{resource}, Scopes: scopes, Key: strange}},
		}),
		"signed out": written(t, func(r *page.Renderer, w http.ResponseWriter) error {
			return r.SignedOut(w, page.SignedOut{Site: site, SignInURL: strange})
		}),
		"failure": written(t, func(r *page.Renderer, w http.ResponseWriter) error {
			return r.Failure(w, http.StatusBadRequest, page.Failure{Site: site, Title: strange, Message: strange, Advice: strange, Code: strange})
		}),
	}
}

func TestNothingThatIsPutInBecomesMarkup(t *testing.T) {
	for _, strange := range []string{
		`"'><script>alert(1)</script><style>*{}</style><img src=x onerror=alert(1)>&lt;`,
		`data:image/png;base64,"><script>alert(1)</script>`,
	} {
		for name, w := range each(t, strange) {
			body := w.Body.String()
			if strings.Contains(body, "<script") || strings.Contains(body, "<img src=x") || strings.Count(body, "<style") != 1 {
				t.Errorf("%s: markup got through:\n%s", name, body)
			}
		}
	}
}

func TestALinkNeverRunsAScript(t *testing.T) {
	for name, w := range each(t, "javascript:alert(1)") {
		if strings.Contains(w.Body.String(), `href="javascript:`) {
			t.Errorf("%s: a link runs a script", name)
		}
	}
}

func TestEveryPageForbidsAllButItsOwnStyle(t *testing.T) {
	for name, w := range each(t, "x") {
		_, rest, _ := strings.Cut(w.Body.String(), "<style>")
		style, _, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "frame-ancestors 'none'", "base-uri 'none'",
		} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: Content-Security-Policy %q lacks %q", name, policy, want)
			}
		}
		for header, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s: got %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestImagesAreAllowedWhereThereIsALogo(t *testing.T) {
	tests := []struct {
		name, logo string
		shown      bool
	}{
		{"PNG", "data:image/png;base64,iVBORw0KGgo=", true},
		{"SVG", "data:image/svg+xml,%3Csvg/%3E", true},
		{"WebP", "data:image/webp;base64,UklGRg==", true},
		{"none", "", false},
		{"an address elsewhere", "https://tracker.example/logo.png", false},
		{"a document", "data:text/html,hello", false},
		{"a look-alike", "data:image/pngx,hello", false},
		{"a script", "javascript:alert(1)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := consent(t, asked(func(p *page.Consent) { p.Site.Logo = tt.logo }))
			if got := strings.Contains(w.Body.String(), `<img src="data:image/`); got != tt.shown {
				t.Errorf("shown: got %v, want %v", got, tt.shown)
			}
			if got := strings.Contains(w.Header().Get("Content-Security-Policy"), "img-src data:"); got != tt.shown {
				t.Errorf("allowed: got %v, want %v", got, tt.shown)
			}
			if tt.logo != "" && !tt.shown && strings.Contains(w.Body.String(), tt.logo) {
				t.Error("what is no logo is on the page")
			}
		})
	}
}

func TestAFormMayLeadWhereItsJourneyGoes(t *testing.T) {
	app, upstream := &page.Client{Name: "Sample App"}, []page.Provider{{Name: "corp", Label: "Corp"}}
	const nowhere, ourselves = "form-action 'none'", "form-action 'self'"
	tests := []struct {
		name   string
		page   *httptest.ResponseRecorder
		action string
	}{
		{"sign-in for an app", signIn(t, page.SignIn{Client: app}), ""},
		{"sign-in upstream", signIn(t, page.SignIn{Upstream: upstream}), ""},
		{"sign-in for connected apps", signIn(t, page.SignIn{Password: upstream}), ourselves},
		{"consent", consent(t, asked(func(*page.Consent) {})), ""},
		{"connected apps", account(t, page.Account{}), ourselves},
		{"signed out", each(t, "x")["signed out"], nowhere},
		{"failure", each(t, "x")["failure"], nowhere},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy := tt.page.Header().Get("Content-Security-Policy")
			_, rest, found := strings.Cut(policy, "form-action ")
			action, _, _ := strings.Cut(rest, ";")
			if found {
				action = "form-action " + action
			}
			if action != tt.action {
				t.Errorf("got %q in %q, want %q", action, policy, tt.action)
			}
		})
	}
}

func TestEveryInputThatPeopleFillInHasItsLabel(t *testing.T) {
	body := each(t, "x")["sign-in"].Body.String()
	for _, id := range []string{"username-0", "password-0", "username-1", "password-1"} {
		if !strings.Contains(body, `<label for="`+id+`">`) || !strings.Contains(body, `id="`+id+`"`) {
			t.Errorf("input %s and its label do not belong together", id)
		}
	}
	for _, want := range []string{
		`autocomplete="username"`, `autocomplete="current-password"`, `role="alert"`, ` lang="en"`, `aria-describedby="error"`, "<title>Error: sign in",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if got := strings.Count(body, " autofocus"); got != 1 {
		t.Errorf("autofocus: got %d times, want once", got)
	}
}

// says asserts what a page's body holds, and what not.
func says(t *testing.T, w *httptest.ResponseRecorder, want, unwanted []string) {
	t.Helper()
	body := w.Body.String()
	for _, text := range want {
		if !strings.Contains(body, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	for _, text := range unwanted {
		if strings.Contains(body, text) {
			t.Errorf("the page says %q", text)
		}
	}
}

func TestSignInSaysWhatItIsFor(t *testing.T) {
	app, todo := &page.Client{Name: "Sample App"}, &page.Resource{Name: "Todo"}
	tests := []struct {
		name           string
		page           page.SignIn
		want, unwanted []string
	}{
		{"an app and a server", page.SignIn{Client: app, Resource: todo}, []string{"Sample App", "Todo"}, []string{"connected apps", "notice\""}},
		{"an app alone", page.SignIn{Client: app}, []string{"Sample App</bdi> act for you"}, []string{"connected apps"}},
		{"an app without a name", page.SignIn{Client: &page.Client{}, Resource: todo}, []string{"An app without a name"}, nil},
		{"connected apps", page.SignIn{}, []string{"to see your connected apps"}, []string{"to let"}},
		{"again", page.SignIn{Notice: "This app asks you to sign in again."}, []string{"This app asks you to sign in again."}, nil},
		{"with a hint", page.SignIn{Username: "alice", Password: []page.Provider{{Name: "a"}}}, []string{`value="alice"`, `required autofocus>` + "\n<button"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { says(t, signIn(t, tt.page), tt.want, tt.unwanted) })
	}
}

func TestConsentSaysWhatOfAClientCanBeBelieved(t *testing.T) {
	tests := []struct {
		name           string
		client         page.Client
		want, unwanted []string
	}{
		{"registered", page.Client{Name: "A"}, []string{"Registered itself; its name is not verified"}, []string{"Identified by", "people who run"}},
		{"declared", page.Client{Name: "A", Origin: page.Declared}, []string{"Registered by the people who run this service"}, []string{"not verified"}},
		{"a document", page.Client{Name: "A", Origin: page.Document, Host: "claude.ai"}, []string{`Identified by <bdi class="name">claude.ai</bdi>; its name is not verified`}, []string{"Registered"}},
		{"of an unknown origin", page.Client{Name: "A", Origin: "verified"}, []string{"its name is not verified"}, []string{"people who run"}},
		{"with a website", page.Client{Name: "A", URI: "https://a.example"}, []string{"https://a.example", "According to the app"}, []string{`href="https://a.example`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			says(t, consent(t, asked(func(p *page.Consent) { p.Client = tt.client })), tt.want, tt.unwanted)
		})
	}
}

func TestConsentSaysWhatItIsAbout(t *testing.T) {
	mail := page.ResourceScopes{Resource: page.Resource{Name: "Mail", URL: "https://mcp.example.com/mail"}}
	document := page.Client{Name: "Coder", Origin: page.Document, Host: "coder.example"}
	const listening = "Any program on this computer could be listening"
	tests := []struct {
		name           string
		change         func(*page.Consent)
		want, unwanted []string
	}{
		{"one server", func(*page.Consent) {}, []string{"It will be able to", "Read your tasks", "https://mcp.example.com/todo"}, []string{"On <bdi>", "this computer", "asked again", "Connected apps"}},
		{"two servers", func(p *page.Consent) { p.Resources = append(p.Resources, mail) },
			[]string{`Todo</bdi> and <bdi class="name">Mail</bdi>?`, "On <bdi>Todo</bdi>, it will", "On <bdi>Mail</bdi>, it will", "use everything that this server offers", "https://mcp.example.com/mail"}, nil},
		{"three servers", func(p *page.Consent) { p.Resources = append(p.Resources, mail, mail) }, []string{"to use 3 servers?"}, nil},
		{"a program here", func(p *page.Consent) { p.Loopback = true }, []string{"any program here could be listening"}, []string{listening}},
		{"a known program here", func(p *page.Consent) { p.Loopback, p.Client = true, document }, []string{listening, "coder.example"}, []string{"any program here"}},
		{"a known app elsewhere", func(p *page.Consent) { p.Client = document }, []string{"coder.example"}, []string{listening, "this computer"}},
		{"an app here", func(p *page.Consent) { p.Native = true }, []string{"An app on this device"}, nil},
		{"asked again", func(p *page.Consent) { p.Remembered, p.WhyAsked = true, "the app asks for more" }, []string{"You have allowed this before. You are asked again because the app asks for more."}, nil},
		{"asked again without a reason", func(p *page.Consent) { p.Remembered = true }, []string{"You have allowed this before."}, []string{"because"}},
		{"what is remembered", func(p *page.Consent) { p.Remembers, p.AccountURL = true, "/account" }, []string{"You will not be asked again", `<a href="/account">Connected apps</a>`}, nil},
		{"nothing to grant", func(p *page.Consent) { p.Refused, p.Remembers, p.Loopback = true, true, true },
			[]string{"No access for this account", `value="deny"`}, []string{`value="approve"`, "asked again", "Read your tasks", "listening"}},
		{"upstream", func(p *page.Consent) { p.Account, p.Upstream = "", "Corp" }, []string{"you sign in with", "are left out"}, []string{"Signed in as"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { says(t, consent(t, asked(tt.change)), tt.want, tt.unwanted) })
	}
}

func TestTheWarningAboutAKnownProgramComesBeforeWhatIsGranted(t *testing.T) {
	body := consent(t, asked(func(p *page.Consent) {
		p.Loopback, p.Client.Origin, p.Client.Host = true, page.Document, "coder.example"
	})).Body.String()
	if strings.Index(body, "could be listening") > strings.Index(body, "It will be able to") {
		t.Error("people read the warning last")
	}
}

func TestConnectedAppsCanEachBeDisconnected(t *testing.T) {
	since := time.Date(2026, time.November, 24, 23, 30, 0, 0, time.FixedZone("", -5*3600))
	w := account(t, page.Account{
		Account: "alice@example.com", Action: "/account", SignOutAction: "/signout", Request: "sealed",
		Apps: []page.App{
			{Client: page.Client{Name: "Coder"}, Key: "k1", Since: since, Resources: []page.Resource{{Name: "Todo", URL: "https://mcp.example.com/todo"}}},
			{Key: "k2", Scopes: []page.Scope{{Name: "todo:read", Description: "Read your tasks"}}},
		},
	})
	says(t, w, []string{
		`<time datetime="2026-11-25T04:30:00Z">25 Nov 2026</time>`, "https://mcp.example.com/todo", "Read your tasks",
		`name="disconnect" value="k1">Disconnect <span class="unseen"><bdi class="name">Coder</bdi></span></button>`,
		`name="disconnect" value="k2">Disconnect <span class="unseen"><bdi class="name">An app without a name</bdi></span></button>`,
		`name="signout" value="yes"`, `action="/account"`, `action="/signout"`,
	}, []string{"Last used", `role="status"`, "No apps are connected"})
	if got := strings.Count(w.Body.String(), `name="request" value="sealed"`); got != 2 {
		t.Errorf("the sealed request is in %d forms, want 2", got)
	}
}

func TestTheEndOfAConnectionIsSaid(t *testing.T) {
	w := account(t, page.Account{Account: "alice@example.com", Notice: "Coder is disconnected."})
	says(t, w, []string{`role="status">Coder is disconnected.`, "No apps are connected", `name="signout"`}, []string{`name="disconnect"`})
}

func TestSigningOutGoesWhereTheAppsGoUnlessToldOtherwise(t *testing.T) {
	w := account(t, page.Account{Action: "/account"})
	says(t, w, []string{`action="/account" class="signout"`}, []string{`action=""`})
}

func TestBeingSignedOutOffersTheWayBackIn(t *testing.T) {
	says(t, each(t, "/account")["signed out"], []string{"You are signed out", `href="/account"`}, nil)
	w := written(t, func(r *page.Renderer, w http.ResponseWriter) error { return r.SignedOut(w, page.SignedOut{}) })
	says(t, w, []string{"You are signed out"}, []string{"<a "})
}
