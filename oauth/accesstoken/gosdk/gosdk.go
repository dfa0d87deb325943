package gosdk

import (
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// claimsKey is where a TokenInfo's Extra has the claims.
const claimsKey = "github.com/mcpauth/mcpauth/oauth/accesstoken"

// Claims returns the claims of the token that a call came with. They are shared with
// other calls and only read. Without a Handler there are none.
func Claims(extra *mcp.RequestExtra) (*accesstoken.Claims, bool) {
	if extra == nil || extra.TokenInfo == nil {
		return nil, false
	}
	claims, ok := extra.TokenInfo.Extra[claimsKey].(*accesstoken.Claims)
	return claims, ok
}

// Handler is guard.Handler for the SDK's: tools see the Claims of each call, and a
// session serves the user alone who began it.
func Handler(guard *accesstoken.Guard, next http.Handler) http.Handler {
	identified := auth.RequireBearerToken(tokenInfo, &auth.RequireBearerTokenOptions{
		AllowMissingExpiration: true, // the guard has seen to it
	})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	}))
	return guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The SDK has no other way to a TokenInfo than through a header of this shape. The
		// token itself stays with the guard, and so does what it was sent as.
		r.Header.Set("Authorization", "Bearer verified")
		identified.ServeHTTP(w, r)
	}))
}

// tokenInfo puts what the guard found into the SDK's words.
func tokenInfo(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
	claims, ok := accesstoken.FromContext(ctx)
	if !ok {
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{
		UserID: claims.Subject,
		Scopes: claims.Scope.Names(),
		Extra:  map[string]any{claimsKey: claims},
	}, nil
}
