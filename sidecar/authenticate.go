package sidecar

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// authenticate demands one valid access token, and proof of its key where it is bound
// to one.
func (x *exchange) authenticate() *answer {
	presented, err := x.site.guard.Authenticate(x.r)
	if err != nil {
		refusal := (*accesstoken.Refusal)(nil)
		if !errors.As(err, &refusal) {
			return unavailable("the access token cannot be judged at the moment")
		}
		if refusal.Err != nil {
			x.options.Logger.Debug("refused a request", "error", refusal)
		}
		x.claims = refusal.Claims // for the audit alone: no step comes after this one
		return refused(refusal)
	}
	x.token, x.claims = presented.Token, presented.Claims
	return nil
}

// refused is a refusal as an answer.
func refused(r *accesstoken.Refusal) *answer {
	a := &answer{status: r.Status, reason: reasonOf(r), header: http.Header{}, body: problem{r.Code, r.Description}}
	if len(r.Challenges) > 0 {
		a.header["Www-Authenticate"] = r.Challenges
	}
	if r.RetryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
	return a
}

func reasonOf(r *accesstoken.Refusal) reason {
	switch {
	case errors.Is(r, accesstoken.ErrRevoked):
		return reasonRevoked
	case r.Code == "":
		return reasonNoToken
	case r.Code == oauth.InsufficientScope:
		return reasonScope
	default:
		return reason(r.Code)
	}
}
