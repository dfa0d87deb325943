package sidecar

import (
	"errors"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// challengeDPoP stands behind the Bearer challenge where the policy demands keys (RFC
// 9449 §7.1): clients that look no further than the first still find what to ask for.
var challengeDPoP = dpop.Scheme + ` algs="` + strings.Join(dpop.Algorithms(), " ") + `"`

// provePossession lets a token pass in the one way that is its own: a bound one with
// a proof of its key, another as a bearer's, so that no stolen token gets by for want
// of a look (RFC 9449 §7.2).
func (x *exchange) provePossession(scheme, token string, claims *accesstoken.Claims) *answer {
	bound := claims.KeyThumbprint != ""
	switch {
	case bound && scheme != dpop.Scheme:
		return x.refuseToken("the access token is bound to a key; send it with the DPoP scheme and a proof")
	case !bound && x.site.policy.RequireDPoP:
		return x.refuseToken("this server takes access tokens that are bound to a key alone; ask for one with a DPoP proof")
	case !bound && scheme == dpop.Scheme:
		return x.refuseToken("the access token is not bound to a key; send it with the Bearer scheme")
	case !bound:
		return nil
	}
	err := x.useProof(token, claims.KeyThumbprint)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dpop.ErrBusy):
		return unavailable("too many proofs were used in a short time")
	default:
		x.options.Logger.Debug("refused a proof", "error", err)
		return x.challenge(oauth.Challenge{Error: oauth.InvalidDPoPProof, Description: describeProof(err)}, reasonInvalidProof)
	}
}

// useProof verifies the request's proof, for the URL that clients know, and takes
// care that it is not used again.
func (x *exchange) useProof(token, thumbprint string) error {
	raw, err := dpop.FromRequest(x.r)
	if err != nil {
		return err
	}
	now := x.options.Now()
	proof, err := dpop.Verify(raw, dpop.Expectation{
		Method: x.r.Method,
		URL:    x.site.public.Scheme + "://" + x.site.public.Host + x.r.URL.EscapedPath(),
		// Both, so that the proof is for this token and by whom it was given to.
		AccessToken: token, KeyThumbprint: thumbprint,
		Now: now,
	})
	if err != nil {
		return err
	}
	return x.proofs.Use(proof, now)
}

func (x *exchange) refuseToken(description string) *answer {
	return x.challenge(oauth.Challenge{Error: oauth.InvalidToken, Description: description}, reasonInvalidToken)
}

// describeProof puts a refusal into words out of a closed set, as describe does.
func describeProof(err error) string {
	switch {
	case errors.Is(err, dpop.ErrMissing):
		return "the access token is bound to a key and the request has no DPoP proof"
	case errors.Is(err, dpop.ErrMismatch):
		return "the DPoP proof is for another method, URL, access token or key"
	case errors.Is(err, dpop.ErrTime):
		return "the DPoP proof was made too long ago or in the future; is the clock right?"
	case errors.Is(err, dpop.ErrReplayed):
		return "the DPoP proof was used before; make a new one for every request"
	default:
		return "the DPoP proof is invalid"
	}
}
