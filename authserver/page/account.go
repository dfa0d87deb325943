package page

import (
	"net/http"
	"time"
)

// App is a client that a person has let in.
type App struct {
	Client Client
	// Resources are what it can use, and Scopes what it can do there.
	Resources []Resource
	Scopes    []Scope
	// Since is when it was let in, and LastUsed when it last got a token; zero
	// hides either.
	Since, LastUsed time.Time
	// Key is what the button "disconnect" sends.
	Key string
}

// Account is the page on which people see whom they have let in, and end that.
type Account struct {
	Site Site
	// Account is who signed in.
	Account string
	Apps    []App
	// Action is where the form of the apps goes, SignOutAction the one that signs
	// out (empty means Action too), and Request what both carry along, sealed.
	Action, SignOutAction, Request string
	// Notice is a sentence about what was just done; empty otherwise.
	Notice string
}

// Account writes the page of connected apps. Errors are of our own templates.
func (r *Renderer) Account(w http.ResponseWriter, p Account) error {
	return r.write(w, content{
		name: "account", site: p.Site, title: "Connected apps", status: http.StatusOK, formAction: toOurselves, wide: true, page: p,
	})
}
