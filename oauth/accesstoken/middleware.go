package accesstoken

import (
	"context"
	"maps"
	"net/http"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// passed is what a request's context holds once its guard let it pass.
type passed struct {
	by     *Guard
	claims *Claims
}

type passedKey struct{}

// FromContext returns the claims of the token that a Guard's Handler accepted. They
// are shared with other requests and only read.
func FromContext(ctx context.Context) (*Claims, bool) {
	p, ok := ctx.Value(passedKey{}).(passed)
	return p.claims, ok
}

// Handler lets requests with a valid token through to next, with the claims in their
// context, and answers the others. The token stops here: next sees neither
// Authorization nor DPoP, so that it cannot pass them on (MCP, Token Passthrough).
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.let(r) != nil {
			next.ServeHTTP(w, r)
			return
		}
		presented, refusal := g.authenticate(r)
		if refusal != nil {
			refusal.ServeHTTP(w, r)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), passedKey{}, passed{g, presented.Claims}))
		r.Header = maps.Clone(r.Header)
		r.Header.Del("Authorization")
		r.Header.Del(dpop.Header)
		next.ServeHTTP(w, r)
	})
}

// RequireScopes is Handler for routes that need more than a valid token: all of the
// scopes. Behind the same Guard's Handler it looks at the scopes alone. What a 403 asks
// for is these scopes, so that clients can step up (MCP, Step-Up Authorization).
func (g *Guard) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	needed := oauth.NewScopeSet(scopes...)
	return func(next http.Handler) http.Handler {
		return g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !g.let(r).Scope.ContainsAll(needed) {
				g.Insufficient(needed).ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

// let returns the claims of a request that this guard let pass, or nil. What another
// guard accepted is for another resource.
func (g *Guard) let(r *http.Request) *Claims {
	if p, ok := r.Context().Value(passedKey{}).(passed); ok && p.by == g {
		return p.claims
	}
	return nil
}
