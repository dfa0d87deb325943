package authserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// The steps of a journey. What is sealed for one cannot be opened at another, so
// that no step can be skipped.
const (
	stepSignIn   = "authserver/signin"
	stepConsent  = "authserver/consent"
	stepCallback = "authserver/callback"
)

// journeyLifetime is how long a person may take for all pages together.
const journeyLifetime = 15 * time.Minute

// journey is one authorization request on its way through the pages. It holds
// what the checks of authorize found, and what the pages added.
type journey struct {
	// Browser is the hash of the browser's cookie: whoever continues must have it.
	Browser string    `json:"b"`
	Expires time.Time `json:"x"`

	// Issuer is the resource whose issuer was asked; empty is the root.
	Issuer          oauth.ResourceID `json:"i,omitempty"`
	ClientID        string           `json:"c"`
	RedirectURI     string           `json:"u"`
	RedirectURISent bool             `json:"us,omitempty"`
	State           string           `json:"s,omitempty"`
	Challenge       string           `json:"p"`
	KeyThumbprint   string           `json:"k,omitempty"`
	Nonce           string           `json:"e,omitempty"`

	Resources []oauth.ResourceID `json:"r"`
	Scope     oauth.ScopeSet     `json:"o"`
	// Consents says that the user is asked for consent even if they gave it before,
	// and Wish how they are asked to sign in.
	Consents bool          `json:"q,omitempty"`
	Wish     identity.Wish `json:"w,omitzero"`

	// Provider is the chosen one; User who signed in, nil while an upstream
	// provider is still to be asked; Login what that one's answer must fit.
	Provider string          `json:"n,omitempty"`
	User     *store.User     `json:"a,omitempty"`
	Login    *identity.Login `json:"l,omitempty"`
}

// toAccount reports whether somebody signs in to see their connected apps: no
// client has asked, and the journey ends at the account page.
func (j *journey) toAccount() bool { return j.ClientID == "" }

// stage is a journey with what it names, looked up in the current catalog.
type stage struct {
	journey
	issuer    issuer
	client    *client.Client
	resources []*catalog.Resource
}

// errJourney is every way in which a journey cannot go on: the advice is the
// same for all of them, and which it was is for the log.
var errJourney = errors.New("the sign-in cannot be continued")

// seal makes the "request" parameter for the next step.
func (s *Server) seal(step string, j journey) (string, error) {
	plain, err := json.Marshal(j)
	if err != nil {
		return "", fmt.Errorf("encode a journey: %w", err)
	}
	sealed, err := s.opts.Keys().Seal(step, plain)
	if err != nil {
		return "", fmt.Errorf("seal a journey: %w", err)
	}
	return sealed, nil
}

// resume opens the "request" parameter at a step and looks everything up again,
// since the catalog may have changed. It fails with errJourney.
func (s *Server) resume(r *request, step, sealed string) (*stage, error) {
	plain, err := s.opts.Keys().Open(step, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errJourney, err)
	}
	g := &stage{}
	if err := json.Unmarshal(plain, &g.journey); err != nil {
		return nil, fmt.Errorf("%w: the sealed text is of another version", errJourney)
	}
	if !s.opts.Now().Before(g.Expires) {
		return nil, fmt.Errorf("%w: it took too long", errJourney)
	}
	if subtle.ConstantTimeCompare([]byte(g.Browser), []byte(browserOf(r))) != 1 {
		return nil, fmt.Errorf("%w: it began in another browser", errJourney)
	}
	return g, s.lookUp(r, g)
}

// lookUp asks again what authorize asked when the journey began.
func (s *Server) lookUp(r *request, g *stage) error {
	var ok bool
	if g.issuer, ok = r.issuer.issuer(g.Issuer); !ok {
		return fmt.Errorf("%w: its issuer is gone", errJourney)
	}
	if _, ok := g.issuer.providers[g.Provider]; g.Provider != "" && !ok {
		return fmt.Errorf("%w: its identity provider is gone", errJourney)
	}
	if g.toAccount() {
		return nil
	}
	if err := s.lookUpClient(r, g); err != nil {
		return err
	}
	for _, id := range g.Resources {
		resource := g.issuer.Resource(id)
		if resource == nil || !g.client.MayReach(resource) || !g.client.MayRedirect(resource, g.RedirectURI) {
			return fmt.Errorf("%w: its resource is gone", errJourney)
		}
		g.resources = append(g.resources, resource)
	}
	return nil
}

func (s *Server) lookUpClient(r *request, g *stage) error {
	cl, err := g.issuer.clients.Resolve(r.Context(), g.ClientID)
	var document *client.DocumentError
	if errors.Is(err, client.ErrUnknown) || errors.As(err, &document) {
		return fmt.Errorf("%w: its client is gone: %w", errJourney, err)
	}
	if err != nil {
		return err
	}
	if _, err := cl.RedirectURI(g.RedirectURI); err != nil {
		return fmt.Errorf("%w: %w", errJourney, err)
	}
	if !cl.MayUse(oauth.GrantAuthorizationCode) {
		return fmt.Errorf("%w: its client may not use it any more", errJourney)
	}
	g.client = cl
	return nil
}

// cookieName gives a cookie of ours its __Host- prefix, which keeps other hosts
// and plain http from setting it; browsers accept the prefix on https alone, and an
// http issuer is on a loopback host.
func (v *view) cookieName(name string) string {
	if strings.HasPrefix(v.Issuer(), "https://") {
		return "__Host-" + name
	}
	return name
}

const (
	browserCookie = "mcpauth"

	cookieSecretBytes  = 32
	cookieSecretLength = 43 // of cookieSecretBytes in base64url
)

// cookieSecret is the value of a cookie that we made, "" where there is none.
func cookieSecret(r *request, name string) string {
	cookie, err := r.Cookie(r.issuer.cookieName(name))
	if err != nil || len(cookie.Value) != cookieSecretLength {
		return ""
	}
	return cookie.Value
}

// newCookie makes a cookie that scripts do not see and other sites do not send.
func (v *view) newCookie(name, value string, maxAge time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: v.cookieName(name), Value: value, Path: "/", MaxAge: int(maxAge.Seconds()),
		Secure: strings.HasPrefix(v.Issuer(), "https://"), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// browserOf is the hash of the request's browser cookie, "" where it has none.
func browserOf(r *request) string {
	secret := cookieSecret(r, browserCookie)
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// rememberBrowser returns the hash of the browser's cookie, setting one where
// there is none. A browser keeps its cookie, so that two tabs can be on two
// journeys.
func rememberBrowser(w http.ResponseWriter, r *request) string {
	if known := browserOf(r); known != "" {
		return known
	}
	cookie := r.issuer.newCookie(browserCookie, credential.Random(cookieSecretBytes), 0)
	http.SetCookie(w, cookie)
	sum := sha256.Sum256([]byte(cookie.Value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
