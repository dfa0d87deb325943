package page

import "net/http"

// Origin is what stands behind a client, and so how a page speaks of it.
type Origin string

// The origins of clients.
const (
	// Registered clients came by themselves: nothing about them is proved.
	Registered Origin = ""
	// Document clients are identified by the URL of their metadata document, whose
	// host is proved; their name is not.
	Document Origin = "document"
	// Declared clients were registered by the people who run this installation.
	Declared Origin = "declared"
)

// Client is how a page names the application that asks.
type Client struct {
	// Name is what it calls itself; empty shows that it gave no name.
	Name string
	// Origin says what of it can be believed. An unknown one is like Registered.
	Origin Origin
	// Host is the host of a Document client's URL; empty otherwise.
	Host string
	// URI is the website that the client says it has. It is shown as text, as its
	// own claim; empty hides it.
	URI string
}

// Resource is how a page names what is asked for.
type Resource struct {
	Name string
	URL  string
}

// Scope is one permission in words.
type Scope struct {
	Name, Description string
}

// Provider is one way to sign in.
type Provider struct {
	// Name is what the form sends, Label what people read.
	Name, Label string
}

// SignIn is the first page: who are you?
type SignIn struct {
	Site Site
	// Client is who asks, and Resource for what. Without a client, somebody signs in
	// to see their connected apps; without a resource, the page names the client
	// alone.
	Client   *Client
	Resource *Resource
	// Action is where the form goes, and Request what it carries along, sealed.
	Action, Request string
	// Password are the providers with a form on this page, Upstream those with
	// pages of their own.
	Password, Upstream []Provider
	// Username is typed already: what failed, or what the client expects
	// ("login_hint"); empty otherwise.
	Username string
	// Notice is a sentence that says why somebody who may have signed in before
	// signs in again; empty otherwise.
	Notice string
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
	title, formAction := "Sign in", toAnywhere
	if p.Error != "" {
		title = "Error: sign in" // the first that a screen reader says
	}
	if p.Client == nil && len(p.Upstream) == 0 {
		formAction = toOurselves
	}
	return r.write(w, content{name: "signin", site: p.Site, title: title, status: status, formAction: formAction, page: p})
}

// SignedOut is the page after signing out.
type SignedOut struct {
	Site Site
	// SignInURL leads to signing in again; empty hides it.
	SignInURL string
}

// SignedOut writes the page after signing out. Errors are of our own templates.
func (r *Renderer) SignedOut(w http.ResponseWriter, p SignedOut) error {
	return r.write(w, content{
		name: "signedout", site: p.Site, title: "Signed out", status: http.StatusOK, formAction: toNobody, page: p,
	})
}

// Failure is a page on which the journey ends: it must not redirect, because
// nothing proves where to.
type Failure struct {
	Site Site
	// Title is the error in a few words, Message what happened and Advice what to
	// do about it.
	Title, Message, Advice string
	// Code is the OAuth error code, for whoever is asked for help.
	Code string
	// ReturnURL leads back to the app, by a link that names ReturnHost, where nobody
	// but the person may decide to go there; empty hides it.
	ReturnURL, ReturnHost string
}

// Failure writes the error page. Errors are of our own templates.
func (r *Renderer) Failure(w http.ResponseWriter, status int, p Failure) error {
	return r.write(w, content{name: "failure", site: p.Site, title: p.Title, status: status, formAction: toNobody, page: p})
}
