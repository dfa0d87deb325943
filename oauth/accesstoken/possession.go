package accesstoken

import (
	"net/http"

	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// provePossession lets a token pass in the one way that is its own: a bound one with
// a proof of its key, another as a bearer's, so that no stolen token gets by for want
// of a look (RFC 9449 §7.2).
func (g *Guard) provePossession(r *http.Request, scheme, token, thumbprint string) (ground, error) {
	bound := thumbprint != ""
	switch {
	case bound && scheme != dpop.Scheme:
		return boundAsBearer, nil
	case !bound && g.RequireDPoP:
		return notBound, nil
	case !bound && scheme == dpop.Scheme:
		return unboundAsDPoP, nil
	case !bound:
		return nothing, nil
	}
	if err := g.useProof(r, token, thumbprint); err != nil {
		return groundOfProof(err), err
	}
	return nothing, nil
}

// useProof verifies the request's proof, for the URL that clients know, and takes
// care that it is not used again.
func (g *Guard) useProof(r *http.Request, token, thumbprint string) error {
	raw, err := dpop.FromRequest(r)
	if err != nil {
		return err
	}
	now := g.ready.now()
	proof, err := dpop.Verify(raw, dpop.Expectation{
		Method: r.Method,
		URL:    g.ready.origin + r.URL.EscapedPath(),
		// Both, so that the proof is for this token and by whom it was given to.
		AccessToken: token, KeyThumbprint: thumbprint,
		Now: now,
	})
	if err != nil {
		return err
	}
	return g.ready.proofs.Use(proof, now)
}
