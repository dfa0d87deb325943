package accesstoken

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// Guard authenticates the requests to one protected resource. Its fields are set
// before the first use and not changed after; it is then safe for concurrent use and
// must not be copied.
type Guard struct {
	Verifier *Verifier
	// Resource is the resource's URL as users type it. DPoP proofs are for its scheme
	// and host with the request's path, and its metadata are at the address that
	// follows from it (RFC 9728 §3.1).
	Resource string
	// Scopes is what a first challenge asks for: enough for basic use.
	Scopes oauth.ScopeSet
	// RequireDPoP refuses tokens that are not bound to a key.
	RequireDPoP bool
	// Proofs remembers which DPoP proofs were used; nil means a memory of the Guard's
	// own. Guards that stand before the same URL share one.
	Proofs *dpop.Replays
	// Now is the clock for DPoP proofs; nil means the Verifier's.
	Now func() time.Time

	// AuthorizationServers are the issuers that the metadata name; nil means the first
	// of the Verifier's.
	AuthorizationServers []string
	// ScopesSupported are what the metadata list; empty means Scopes.
	ScopesSupported oauth.ScopeSet
	// Name is for people, in the metadata; empty leaves it out.
	Name string

	preparing sync.Once
	ready     prepared // prepare
}

// prepared is what follows from a Guard's fields, worked out once.
type prepared struct {
	origin      string // scheme and host of the resource
	metadataURL string
	refusals    [len(grounds)]Refusal
	proofs      *dpop.Replays
	now         func() time.Time
}

// Presented is the one token that a request came with, valid and rightly presented.
type Presented struct {
	// Claims are shared with other requests and only read.
	Claims *Claims
	// Token is the text. It is for exchanging (RFC 8693), never for passing on: MCP
	// forbids that.
	Token string
}

// Authenticate demands one valid access token, in the Authorization header and nowhere
// else (RFC 6750 §2; MCP forbids the query string), and proof of its key where it is
// bound to one. Its errors are *Refusal.
//
// It uses up the request's proof, so that a request is authenticated once.
func (g *Guard) Authenticate(r *http.Request) (Presented, error) {
	presented, refusal := g.authenticate(r)
	if refusal != nil {
		return Presented{}, refusal
	}
	return presented, nil
}

func (g *Guard) authenticate(r *http.Request) (Presented, *Refusal) {
	g.preparing.Do(g.prepare)
	scheme, token, why := readAuthorization(r.Header["Authorization"])
	switch {
	case why != nothing:
		return Presented{}, g.refuse(why, nil)
	case addressRepeats(r.URL, token):
		return Presented{}, g.refuse(sentTwice, nil)
	}
	genuine, err := g.Verifier.verify(r.Context(), token)
	var claims *Claims
	if genuine != nil && presentable(genuine.claims) {
		claims = genuine.claims
	} else if err == nil {
		err = ErrMalformed
	}
	if err != nil {
		return Presented{}, g.refuse(groundOf(err), err).of(claims)
	}
	if why, err := g.provePossession(r, scheme, token, claims.KeyThumbprint); why != nothing {
		return Presented{}, g.refuse(why, err).of(claims)
	}
	return Presented{Claims: claims, Token: token}, nil
}

// Insufficient refuses a request whose valid token lacks scope. It names what the
// refused operation needs, not what the token holds already (RFC 6750 §3.1; MCP
// 2026-07-28, Step-Up Authorization).
func (g *Guard) Insufficient(needed oauth.ScopeSet) *Refusal {
	g.preparing.Do(g.prepare)
	refusal := &Refusal{
		Status: http.StatusForbidden, Code: oauth.InsufficientScope,
		Description: "the token's scope does not open this operation",
	}
	refusal.Challenges = []string{oauth.Challenge{
		Error: refusal.Code, Description: refusal.Description,
		Scope: needed, ResourceMetadata: g.ready.metadataURL,
	}.String()}
	return refusal
}

func (g *Guard) prepare() {
	p := &g.ready
	p.metadataURL = oauth.WellKnownURL(g.Resource, oauth.WellKnownResource)
	if u, err := url.Parse(g.Resource); err == nil && u.Host != "" {
		p.origin = u.Scheme + "://" + u.Host
	}
	if p.proofs = g.Proofs; p.proofs == nil {
		p.proofs = dpop.NewReplays(0, 0)
	}
	switch {
	case g.Now != nil:
		p.now = g.Now
	case g.Verifier.Now != nil:
		p.now = g.Verifier.Now
	default:
		p.now = time.Now
	}
	for why := range grounds {
		p.refusals[why] = g.compose(ground(why))
	}
}

// Check says what is missing in a Guard, or nil. Without it such a Guard refuses
// what it should let pass, and tells clients less than they need.
func (g *Guard) Check() error {
	if err := oauth.ValidServiceURL(g.Resource); err != nil {
		return fmt.Errorf("the guard's resource %w", err)
	}
	switch v := g.Verifier; {
	case v == nil:
		return errors.New("the guard has no verifier")
	case v.Keys == nil:
		return errors.New("the guard's verifier has no source of keys")
	case len(v.Issuers) == 0:
		return errors.New("the guard's verifier accepts no issuer")
	case len(v.Audiences) == 0:
		return errors.New("the guard's verifier has no audience; it is the resource's URL, or its id")
	}
	return nil
}
