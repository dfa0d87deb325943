package authserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/page"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// authorization is an authorization request while it is checked. Each check
// fills in what it has found; later ones rely on it.
type authorization struct {
	ctx    context.Context
	issuer issuer
	params url.Values
	// pushed says that the client sent the parameters ahead and authenticated.
	pushed bool
	keys   *keyring.Ring

	// Set by the checks that prove whom to answer.
	client      *client.Client
	redirectURI string
	// Set by the checks behind them.
	resources []*catalog.Resource
	scope     oauth.ScopeSet
	prompt    prompt
	maxAge    *time.Duration
	// hinted is the subject of an id_token_hint, empty where there was none.
	hinted string
}

// authorize is the authorization endpoint (OAuth 2.1 §3.1, §4.1.1).
func (s *Server) authorize(w http.ResponseWriter, r *request) {
	a, err := s.authorizationOf(w, r)
	if err == nil {
		err = a.run(a.proveDestination())
	}
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	if err := a.run(a.checkRequest()); err != nil {
		s.refuse(w, r, a, err)
		return
	}
	s.begin(w, r, a)
}

// refuse answers before anybody has seen a page. The browser goes on by itself
// where an operator named the place, or where it is a program of the user's own;
// elsewhere, anybody could have registered it to have this server send people
// there, so that the user decides (RFC 9700 §4.11.2).
func (s *Server) refuse(w http.ResponseWriter, r *request, a *authorization, err error) {
	if a.client.Declared() || !oauth.IsWebRedirect(a.redirectURI) {
		s.redirectError(w, r, a.destination(), err)
		return
	}
	e := s.oauthError(r.Context(), err)
	s.render(w, r, s.pages.Failure(w, http.StatusBadRequest, page.Failure{
		Site: r.issuer.pageSite(), Title: "This request cannot be continued",
		Message: sentence(e.Description), Code: string(e.Code), Advice: "The app can be told so, and may know what to do.",
		ReturnURL: errorResponse(a.destination(), e), ReturnHost: oauth.RedirectHost(a.redirectURI),
	}))
}

// authorizationOf reads the request's parameters, or takes those that it refers to.
func (s *Server) authorizationOf(w http.ResponseWriter, r *request) (*authorization, error) {
	params, err := authorizationParameters(w, r)
	if err != nil {
		return nil, err
	}
	a := &authorization{ctx: r.Context(), issuer: r.issuer, params: params, keys: s.opts.Keys()}
	if params.Get("request_uri") == "" {
		return a, nil
	}
	a.pushed = true
	a.params, err = s.takePushed(r, params)
	return a, err
}

func authorizationParameters(w http.ResponseWriter, r *request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return readForm(w, r.Request)
	}
	return parseParameters(r.URL.RawQuery)
}

// begin starts the journey through the pages, at the first that is needed. Where
// somebody has signed in and allowed this before, that is none.
func (s *Server) begin(w http.ResponseWriter, r *request, a *authorization) {
	j := journey{
		Browser:  rememberBrowser(w, r),
		Expires:  s.opts.Now().Add(journeyLifetime),
		Issuer:   a.issuer.resourceID(),
		ClientID: a.client.ID, RedirectURI: a.redirectURI, RedirectURISent: a.params.Get("redirect_uri") != "",
		State: a.params.Get("state"), Challenge: a.params.Get("code_challenge"), KeyThumbprint: a.params.Get("dpop_jkt"),
		Nonce: a.params.Get("nonce"), Resources: resourceIDs(a.resources), Scope: a.scope,
		Consents: a.prompt.consent,
		Wish: identity.Wish{
			Login: a.prompt.login, SelectAccount: a.prompt.selectAccount, MaxAge: a.maxAge,
			Hint: a.params.Get("login_hint"), ACRValues: a.params.Get("acr_values"),
		},
	}
	g := &stage{journey: j, issuer: a.issuer, client: a.client, resources: a.resources}
	user, err := s.signedIn(r, j.Wish, a.hinted)
	switch {
	case err != nil:
		s.refuse(w, r, a, err)
	case user != nil:
		g.Provider, g.User = user.Provider, user
		s.beginSignedIn(w, r, a, g)
	case a.prompt.none:
		s.refuse(w, r, a, oauth.Errorf(oauth.LoginRequired, "the user has to sign in; prompt=none forbids that"))
	default:
		s.beginSignIn(w, r, g)
	}
}

// beginSignedIn goes on where nobody has to sign in any more.
func (s *Server) beginSignedIn(w http.ResponseWriter, r *request, a *authorization, g *stage) {
	remembered, err := s.consentedBefore(r, g)
	switch {
	case err != nil:
		s.refuse(w, r, a, err)
	case remembered:
		s.finish(w, r, g, *g.User)
	case a.prompt.none:
		s.refuse(w, r, a, oauth.Errorf(oauth.ConsentRequired, "the user has to approve this; prompt=none forbids that"))
	default:
		s.goOn(w, r, stepConsent, "/oauth/consent", g.journey)
	}
}

// beginSignIn asks who it is. With a single provider upstream there is nothing to
// choose, and consent comes before leaving for it.
func (s *Server) beginSignIn(w http.ResponseWriter, r *request, g *stage) {
	if only := r.issuer.Providers(); len(only) == 1 && r.issuer.providers[only[0].Name].redirect != nil {
		g.Provider = only[0].Name
		s.goOn(w, r, stepConsent, "/oauth/consent", g.journey)
		return
	}
	s.goOn(w, r, stepSignIn, "/oauth/signin", g.journey)
}

// goOn sends the browser to a journey's next page.
func (s *Server) goOn(w http.ResponseWriter, r *request, step, path string, j journey) {
	sealed, err := s.seal(step, j)
	if err != nil {
		s.failPage(w, r, err)
		return
	}
	seeOther(w, r.issuer.url(path)+"?request="+url.QueryEscape(sealed))
}

// destination is where an authorization response goes.
type destination struct {
	issuer      issuer
	redirectURI string
	state       string
}

func (a *authorization) destination() destination {
	d := destination{issuer: a.issuer, redirectURI: a.redirectURI}
	if len(a.params["state"]) == 1 && len(a.params.Get("state")) <= maxStateLength {
		d.state = a.params.Get("state")
	}
	return d
}

func (g *stage) destination() destination {
	return destination{issuer: g.issuer, redirectURI: g.RedirectURI, state: g.State}
}

// redirectError sends an error to the client (RFC 6749 §4.1.2.1).
func (s *Server) redirectError(w http.ResponseWriter, r *request, d destination, err error) {
	seeOther(w, errorResponse(d, s.oauthError(r.Context(), err)))
}

func errorResponse(d destination, e *oauth.Error) string {
	return response(d, url.Values{"error": {string(e.Code)}, "error_description": {e.Description}})
}

// response is the URL of an authorization response, which always names its issuer
// (RFC 9207). The redirect URI is kept byte for byte: it has no fragment.
func response(d destination, values url.Values) string {
	values.Set("iss", d.issuer.String())
	if d.state != "" {
		values.Set("state", d.state)
	}
	return withQuery(d.redirectURI, values)
}

// withQuery adds parameters to a URI without touching what is there.
func withQuery(uri string, values url.Values) string {
	switch {
	case !strings.Contains(uri, "?"):
		uri += "?"
	case !strings.HasSuffix(uri, "?") && !strings.HasSuffix(uri, "&"):
		uri += "&"
	}
	return uri + values.Encode()
}

// seeOther sends the browser on: 303 makes it forget that it has posted a password.
func seeOther(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// failPage ends a request on a page: nothing has proved whom else to tell.
func (s *Server) failPage(w http.ResponseWriter, r *request, err error) {
	failure := page.Failure{
		Site: r.issuer.pageSite(), Title: "This request cannot be continued",
		Advice: "Go back to the app and start again. If that does not help, remove this server in the app and add it again.",
	}
	status := http.StatusBadRequest
	if errors.Is(err, errJourney) {
		s.opts.Logger.InfoContext(r.Context(), "a sign-in was not continued", "reason", err)
		failure.Title = "This sign-in has expired"
		failure.Message = "It took too long, or it was started in another browser or window."
		failure.Advice = "Go back to the app and start signing in again."
	} else {
		e := s.oauthError(r.Context(), err)
		failure.Message, failure.Code, status = sentence(e.Description), string(e.Code), e.HTTPStatus()
		if status == http.StatusUnauthorized {
			status = http.StatusBadRequest // 401 is for requests that could be repeated with credentials
		}
	}
	s.render(w, r, s.pages.Failure(w, status, failure))
}

// render logs a page that could not be written.
func (s *Server) render(w http.ResponseWriter, r *request, err error) {
	if err != nil {
		s.writeError(w, r.Request, err)
	}
}
