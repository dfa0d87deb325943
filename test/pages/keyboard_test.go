package pages_test

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"
)

// stop is something that Tab comes by.
type stop struct {
	// At is its place in the document, Name what people know it as.
	At   int
	Name string
	// Shown says that people can see where they are.
	Shown bool
}

// focused is the stop that has the focus; without a name if nothing has.
const focused = `(() => {
  const e = document.activeElement, style = getComputedStyle(e);
  return {
    At: [...document.querySelectorAll('*')].indexOf(e),
    Name: e === document.body ? '' : e.labels && e.labels.length ? e.labels[0].textContent : e.textContent.trim(),
    Shown: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
  };
})()`

// stops are what Tab comes by until it leaves the page or comes round.
func (b *tab) stops() []string {
	b.t.Helper()
	at := ask[stop](b, focused)
	if at.Name == "" {
		b.do(tabs(1))
		at = ask[stop](b, focused)
	}
	var names []string
	for first := at.At; at.Name != "" && (len(names) == 0 || at.At != first) && len(names) < 30; at = ask[stop](b, focused) {
		if !at.Shown {
			b.t.Errorf("the focus on %q cannot be seen", at.Name)
		}
		names = append(names, at.Name)
		b.do(tabs(1))
	}
	return names
}

func TestTabComesByEverythingInReadingOrder(t *testing.T) {
	s, b := newSite(t), open(t)
	tests := []struct {
		state string
		want  []string
	}{
		{"sign-in for an app", []string{"Username", "Password", "Sign in"}},
		{"sign-in again", []string{"Password", "Sign in"}},
		{"sign-in with both ways", []string{"Username", "Password", "Sign in", "Continue with Corp SSO", "Continue with Partner login"}},
		{"sign-in upstream", []string{"Continue with Corp SSO", "Continue with Partner login"}},
		{"sign-in with several passwords", []string{"Username", "Password", "Sign in", "Username", "Password", "Sign in"}},
		{"consent for a registered program", []string{"Not you?", "Allow", "Deny"}},
		{"consent for a declared app", []string{"Not you?", "Allow", "Deny", "Connected apps"}},
		{"consent refused", []string{"Not you?", "Go back to the app"}},
		{"connected apps listed", []string{"Disconnect Claude Code", "Disconnect Cursor", "Sign out"}},
		{"connected apps empty", []string{"Sign out"}},
		{"signed out for now", []string{"Sign in again"}},
	}
	for _, scheme := range schemes() {
		b.look(scheme, 1280)
		for _, tt := range tests {
			t.Run(scheme+" "+tt.state, func(t *testing.T) {
				b := b.on(t)
				b.visit(s.URL + named(t, tt.state).path())
				if diff := cmp.Diff(tt.want, b.stops()); diff != "" {
					t.Errorf("stops (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// tabs is a person who presses Tab so many times.
func tabs(n int) chromedp.Action[chromedp.Void] {
	steps := make([]chromedp.Action[chromedp.Void], n)
	for i := range steps {
		steps[i] = chromedp.KeyEvent(kb.Tab)
	}
	return chromedp.Steps(steps...)
}

func TestFormsAreSentByKeyboardAloneAndWithoutScripts(t *testing.T) {
	s, b := newSite(t), open(t)
	b.withoutScripts()
	b.do(chromedp.Navigate(s.URL + "/script"))
	if title, err := chromedp.Run(b.ctx, chromedp.Title()); err != nil || title != "no script ran" {
		t.Fatalf("got %q, %v; this browser runs scripts", title, err)
	}
	enter, space := chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(" ")
	tests := []struct {
		name, state string
		keys        []chromedp.Action[chromedp.Void]
		want        url.Values
	}{
		{"sign in by Enter in the password", "sign-in for an app",
			[]chromedp.Action[chromedp.Void]{chromedp.KeyEvent("alice"), tabs(1), chromedp.KeyEvent("secret"), enter},
			url.Values{"username": {"alice"}, "password": {"secret"}, "provider": {"people"}, "request": {"sealed"}}},
		{"sign in by the button", "sign-in for connected apps",
			[]chromedp.Action[chromedp.Void]{chromedp.KeyEvent("alice"), tabs(1), chromedp.KeyEvent("secret"), tabs(1), space},
			url.Values{"username": {"alice"}, "password": {"secret"}, "provider": {"people"}, "request": {"sealed"}}},
		{"sign in where the name is known", "sign-in again",
			[]chromedp.Action[chromedp.Void]{chromedp.KeyEvent("secret"), enter},
			url.Values{"username": {"alice"}, "password": {"secret"}, "provider": {"people"}, "request": {"sealed"}}},
		{"sign in with the second account", "sign-in with several passwords",
			[]chromedp.Action[chromedp.Void]{tabs(3), chromedp.KeyEvent("bob"), tabs(1), chromedp.KeyEvent("secret"), enter},
			url.Values{"username": {"bob"}, "password": {"secret"}, "provider": {"guests"}, "request": {"sealed"}}},
		{"sign in elsewhere", "sign-in upstream", []chromedp.Action[chromedp.Void]{tabs(2), enter},
			url.Values{"provider": {"partner"}, "request": {"sealed"}}},
		{"allow", "consent for a document program", []chromedp.Action[chromedp.Void]{tabs(2), enter},
			url.Values{"decision": {"approve"}, "request": {"sealed"}}},
		{"deny", "consent for a document program", []chromedp.Action[chromedp.Void]{tabs(3), space},
			url.Values{"decision": {"deny"}, "request": {"sealed"}}},
		{"go back", "consent refused", []chromedp.Action[chromedp.Void]{tabs(2), enter},
			url.Values{"decision": {"deny"}, "request": {"sealed"}}},
		{"disconnect the second app", "connected apps listed", []chromedp.Action[chromedp.Void]{tabs(2), enter},
			url.Values{"disconnect": {"k2"}, "request": {"sealed"}}},
		{"sign out", "connected apps listed", []chromedp.Action[chromedp.Void]{tabs(3), enter},
			url.Values{"signout": {"yes"}, "request": {"sealed"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := b.another(t)
			b.withoutScripts()
			b.visit(s.URL + named(t, tt.state).path())
			b.do(tt.keys...)
			if diff := cmp.Diff(tt.want, s.form(b.ctx, t)); diff != "" {
				t.Errorf("the form (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnterAloneAllowsNothing(t *testing.T) {
	s, b := newSite(t), open(t)
	b.visit(s.URL + named(t, "consent for a declared app").path())
	// What is pressed afterwards arrives first, unless Enter had sent the form.
	b.do(chromedp.KeyEvent(kb.Enter), tabs(3), chromedp.KeyEvent(kb.Enter))
	if form := s.form(b.ctx, t); form.Get("decision") != "deny" {
		t.Errorf("got %v", form)
	}
}
