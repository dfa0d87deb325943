package page

import "net/http"

// Client is how a page names the application that asks.
type Client struct {
	// Name is what it calls itself; empty shows that it gave no name.
	Name string
	// Verified says that this installation's operators registered it; otherwise
	// its name is its own claim, and the page says so.
	Verified bool
}

// Resource is how a page names what is asked for.
type Resource struct {
	Name string
	URL  string
}

// Provider is one way to sign in.
type Provider struct {
	// Name is what the form sends, Label what people read.
	Name, Label string
}

// SignIn is the first page: who are you?
type SignIn struct {
	// Site is the installation's name.
	Site     string
	Client   Client
	Resource Resource
	// Action is where the form goes, and Request what it carries along, sealed.
	Action, Request string
	// Password are the providers with a form on this page, Upstream those with
	// pages of their own.
	Password, Upstream []Provider
	// Username is typed already; empty otherwise.
	Username string
	// Error says why the last attempt failed; empty on the first.
	Error string
}

// Several reports whether the page has to say which form is whose.
func (p SignIn) Several() bool { return len(p.Password) > 1 }

// Focus is the input that the cursor belongs in.
func (p SignIn) Focus() string {
	if p.Username != "" {
		return "password"
	}
	return "username"
}

// SignIn writes the sign-in page. Errors are of our own templates.
func (r *Renderer) SignIn(w http.ResponseWriter, status int, p SignIn) error {
	return r.write(w, content{
		name: "signin", site: p.Site, title: "Sign in", status: status, formAction: toOurselves, page: p,
	})
}

// Scope is one permission in words.
type Scope struct {
	Name, Description string
}

// Consent is the page on which a person lets a client in, or does not.
type Consent struct {
	// Site is the installation's name.
	Site            string
	Client          Client
	Resource        Resource
	Action, Request string
	// Scopes are what approving grants. Where there are none and Refused is set,
	// the page offers the way back only.
	Scopes  []Scope
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
}

// Consent writes the consent page. Errors are of our own templates.
func (r *Renderer) Consent(w http.ResponseWriter, p Consent) error {
	return r.write(w, content{
		name: "consent", site: p.Site, title: "Allow access", status: http.StatusOK, formAction: toAnywhere, page: p,
	})
}

// Failure is a page on which the journey ends: it must not redirect, because
// nothing proves where to.
type Failure struct {
	// Site is the installation's name.
	Site string
	// Title is the error in a few words, Message what happened and Advice what to
	// do about it.
	Title, Message, Advice string
	// Code is the OAuth error code, for whoever is asked for help.
	Code string
}

// Failure writes the error page. Errors are of our own templates.
func (r *Renderer) Failure(w http.ResponseWriter, status int, p Failure) error {
	return r.write(w, content{
		name: "failure", site: p.Site, title: p.Title, status: status, formAction: "; form-action 'none'", page: p,
	})
}
