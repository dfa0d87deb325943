package page

import "net/http"

// Values of the button named "decision" on the consent page.
const (
	Approve = "approve"
	Deny    = "deny"
)

// ResourceScopes is one server and what approving grants on it.
type ResourceScopes struct {
	Resource Resource
	// Scopes are the permissions; empty means all that the server offers.
	Scopes []Scope
}

// Consent is the page on which a person lets a client in, or does not.
type Consent struct {
	Site   Site
	Client Client
	// Resources are what the client asks for; at least one.
	Resources       []ResourceScopes
	Action, Request string
	// Refused says that the account may be granted nothing of it: the page offers
	// the way back only.
	Refused bool
	// RedirectHost is where the browser goes next, as oauth.RedirectHost says it.
	RedirectHost string
	// Loopback says that this is a program on the person's own computer, and
	// Native that it is an app with a scheme of its own.
	Loopback, Native bool
	// Account is who signed in; empty where Upstream is still to come.
	Account string
	// Upstream is the label of the provider that signs in after approval.
	Upstream string
	// SwitchURL leads back to the choice of account; empty hides it.
	SwitchURL string
	// Remembered says that the person allowed this client before, and WhyAsked why
	// they are asked all the same: the end of the sentence "You are asked again
	// because …", without its full stop; empty leaves that sentence out.
	Remembered bool
	WhyAsked   string
	// Remembers says that approving is remembered, and AccountURL leads to where
	// that can be undone; empty names the place without a link.
	Remembers  bool
	AccountURL string
}

// Several reports whether the page has to say which permission is for what.
func (p Consent) Several() bool { return len(p.Resources) > 1 }

// Unproved reports whether everybody on the person's computer could pose as the
// client: its identity is public, and its answer goes to whoever listens.
func (p Consent) Unproved() bool { return p.Loopback && p.Client.Origin == Document }

// Consent writes the consent page. Errors are of our own templates.
func (r *Renderer) Consent(w http.ResponseWriter, p Consent) error {
	title := "Allow access"
	if p.Refused {
		title = "No access"
	}
	return r.write(w, content{name: "consent", site: p.Site, title: title, status: http.StatusOK, formAction: toAnywhere, page: p})
}
