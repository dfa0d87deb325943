package authserver

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	accountPath = "/account"
	// formAccount is what the forms of the account page are sealed for.
	formAccount = "authserver/account"
	// maxAccountRows bounds the grants, and the consents, that the page reads.
	maxAccountRows = 200
	// nameTimeout bounds how long the page waits for the names of its clients, whose
	// metadata documents may have to be fetched.
	nameTimeout = 2 * time.Second
	nameFetches = 8
)

// accountForm makes the page's forms good for one browser and one user alone.
type accountForm struct {
	Session string    `json:"s"` // hash of the session cookie
	Expires time.Time `json:"x"`
}

// account is the page on which people see which apps they have let in, and take
// that back.
func (s *Server) account(w http.ResponseWriter, r *request) {
	user, err := s.session(r)
	switch {
	case err != nil:
		s.failPage(w, r, err)
	case user == nil:
		s.signInForAccount(w, r)
	case r.Method == http.MethodGet:
		s.showAccount(w, r, user, "")
	default:
		s.changeAccount(w, r, user)
	}
}

// signInForAccount begins a journey that no client has asked for.
func (s *Server) signInForAccount(w http.ResponseWriter, r *request) {
	if len(r.issuer.Providers()) == 0 {
		s.failPage(w, r, oauth.Errorf(oauth.TemporarilyUnavailable, "no identity provider is configured, so nobody can sign in yet"))
		return
	}
	j := journey{Browser: rememberBrowser(w, r), Expires: s.opts.Now().Add(journeyLifetime)}
	s.goOn(w, r, stepSignIn, "/oauth/signin", j)
}

func (s *Server) showAccount(w http.ResponseWriter, r *request, user *store.User, notice string) {
	apps, err := s.connectedApps(r, user)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	sealed, err := s.sealAccountForm(r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	s.render(w, r, s.pages.Account(w, page.Account{
		Site: r.issuer.pageSite(), Account: accountName(user), Apps: apps,
		Action: r.issuer.url(accountPath), Request: sealed, Notice: notice,
	}))
}

// changeAccount disconnects an app, or signs out.
func (s *Server) changeAccount(w http.ResponseWriter, r *request, user *store.User) {
	form, err := s.submittedAccount(w, r)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	if form.Has("signout") {
		s.signOut(w, r, user)
		return
	}
	clientID := form.Get("disconnect")
	if clientID == "" {
		s.failPage(w, r, oauth.Errorf(oauth.InvalidRequest, "the form names no app"))
		return
	}
	if err := s.disconnect(r, user, clientID); err != nil {
		s.failPage(w, r, err)
		return
	}
	s.showAccount(w, r, user, "The app has been disconnected. What it was given stops working within seconds.")
}

// disconnect ends everything that the user let a client do, remembered or running.
func (s *Server) disconnect(r *request, user *store.User, clientID string) error {
	if err := s.opts.Store.DeleteConsents(r.Context(), user.Subject, clientID); err != nil {
		return fmt.Errorf("forget the consents to an app: %w", err)
	}
	ended, err := s.opts.Store.RevokeGrants(r.Context(), user.Subject, clientID, s.opts.Now())
	if err != nil {
		return fmt.Errorf("revoke the grants of an app: %w", err)
	}
	s.feed.wake()
	for _, id := range ended {
		s.record(r.Request, audit.Event{
			Type: eventGrantRevoked, Decision: audit.Allowed, Reason: "user_request",
			Grant: id, Client: clientID, Subject: user.Subject,
		})
	}
	s.record(r.Request, audit.Event{Type: eventAppDisconnected, Decision: audit.Allowed, Client: clientID, Subject: user.Subject, Email: user.Email})
	return nil
}

func (s *Server) signOut(w http.ResponseWriter, r *request, user *store.User) {
	if err := s.endSession(r); err != nil {
		s.failPage(w, r, err)
		return
	}
	http.SetCookie(w, r.issuer.newCookie(sessionCookie, "", -time.Second))
	s.record(r.Request, audit.Event{Type: eventSignedOut, Decision: audit.Allowed, Subject: user.Subject, Email: user.Email})
	s.render(w, r, s.pages.SignedOut(w, page.SignedOut{Site: r.issuer.pageSite(), SignInURL: r.issuer.url(accountPath)}))
}

func (s *Server) sealAccountForm(r *request) (string, error) {
	plain, err := json.Marshal(accountForm{Session: sessionHash(r), Expires: s.opts.Now().Add(journeyLifetime)})
	if err != nil {
		return "", fmt.Errorf("encode a form: %w", err)
	}
	sealed, err := s.opts.Keys().Seal(formAccount, plain)
	if err != nil {
		return "", fmt.Errorf("seal a form: %w", err)
	}
	return sealed, nil
}

// submittedAccount reads a form of the account page that was made for this very
// session.
func (s *Server) submittedAccount(w http.ResponseWriter, r *request) (url.Values, error) {
	form, err := s.ownForm(w, r)
	if err != nil {
		return nil, err
	}
	plain, err := s.opts.Keys().Open(formAccount, form.Get("request"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errJourney, err)
	}
	var made accountForm
	if err := json.Unmarshal(plain, &made); err != nil {
		return nil, fmt.Errorf("%w: the sealed text is of another version", errJourney)
	}
	if made.Session != sessionHash(r) || !s.opts.Now().Before(made.Expires) {
		return nil, fmt.Errorf("%w: the form is of another session, or too old", errJourney)
	}
	return form, nil
}

func sessionHash(r *request) string {
	return credential.HashOf(cookieSecret(r, sessionCookie)).String()
}

// connectedApps are the clients that the user has let in, by name.
func (s *Server) connectedApps(r *request, user *store.User) ([]page.App, error) {
	now := s.opts.Now()
	grants, err := s.opts.Store.GrantsOf(r.Context(), user.Subject, now, maxAccountRows)
	if err != nil {
		return nil, fmt.Errorf("list a user's grants: %w", err)
	}
	consents, err := s.opts.Store.ConsentsOf(r.Context(), user.Subject, now, maxAccountRows)
	if err != nil {
		return nil, fmt.Errorf("list a user's consents: %w", err)
	}
	apps := make(map[string]*page.App)
	add := func(clientID string, since time.Time, ids []oauth.ResourceID, scope oauth.ScopeSet) *page.App {
		app := apps[clientID]
		if app == nil {
			app = &page.App{Key: clientID, Since: since}
			apps[clientID] = app
		}
		if since.Before(app.Since) {
			app.Since = since
		}
		addResources(r.issuer, app, ids, scope)
		return app
	}
	for _, g := range grants {
		app := add(g.ClientID, g.Created, g.Resources, g.Scope)
		if used := r.issuer.lastUsed(g); used.After(app.LastUsed) {
			app.LastUsed = used
		}
	}
	for _, c := range consents {
		add(c.ClientID, c.Given, []oauth.ResourceID{c.Resource}, c.Scope)
	}
	return s.named(r, apps), nil
}

// lastUsed is when a grant was last refreshed, which is when its idle time began
// anew; the zero time where it cannot be told.
func (v *view) lastUsed(g store.Grant) time.Time {
	var resources []*catalog.Resource
	for _, id := range g.Resources {
		if resource := v.Resource(id); resource != nil {
			resources = append(resources, resource)
		}
	}
	if !g.Refreshable || len(resources) == 0 {
		return time.Time{}
	}
	_, idle, _ := lifetimes(resources)
	return g.IdleExpires.Add(-idle)
}

func addResources(i issuer, app *page.App, ids []oauth.ResourceID, scope oauth.ScopeSet) {
	for _, id := range ids {
		resource := i.Resource(id)
		if resource == nil {
			continue
		}
		shown := page.Resource{Name: resource.DisplayName, URL: resource.URL}
		if !slices.Contains(app.Resources, shown) {
			app.Resources = append(app.Resources, shown)
		}
		for _, one := range scopesOnPage(resource, scope) {
			if !slices.Contains(app.Scopes, one) {
				app.Scopes = append(app.Scopes, one)
			}
		}
	}
}

// unresolvedClient is how a client is shown that nothing more is known of.
func unresolvedClient(id string) page.Client {
	shown := page.Client{Name: id}
	if u, err := url.Parse(id); err == nil && client.IsDocumentID(id) {
		shown.Origin, shown.Host = page.Document, u.Host
	}
	return shown
}

// named looks the clients' names up, all at once and not for long: one that does
// not answer is shown by its id.
func (s *Server) named(r *request, apps map[string]*page.App) []page.App {
	ctx, cancel := context.WithTimeout(r.Context(), nameTimeout)
	defer cancel()
	var fetching errgroup.Group
	fetching.SetLimit(nameFetches)
	for id, app := range apps {
		fetching.Go(func() error {
			app.Client = unresolvedClient(id)
			if found, err := r.issuer.clients.Resolve(ctx, id); err == nil {
				app.Client = pageClient(found)
				app.Client.Name = cmp.Or(app.Client.Name, id)
			}
			return nil
		})
	}
	_ = fetching.Wait() // none of them fails
	list := make([]page.App, 0, len(apps))
	for _, app := range apps {
		list = append(list, *app)
	}
	slices.SortFunc(list, func(a, b page.App) int {
		return cmp.Or(cmp.Compare(a.Client.Name, b.Client.Name), cmp.Compare(a.Key, b.Key))
	})
	return list
}
