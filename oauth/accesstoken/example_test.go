package accesstoken_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// Two lines of a mux protect a handler: one for it, and one for the document that
// tells clients where to go for a token.
func Example() {
	issuer := startAuthorizationServer()
	defer issuer.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	const resource = "https://todo.example.com/mcp"
	keys := jwks.NewRemote(jwks.Options{URL: issuer.URL + "/keys"})
	go keys.Run(ctx)
	guard := &accesstoken.Guard{
		Verifier: &accesstoken.Verifier{
			Issuers: []string{issuer.issuer()}, Audiences: []string{resource}, Keys: keys, CacheSize: 10_000,
		},
		Resource: resource,
		Scopes:   oauth.NewScopeSet("todo:read"),
	}

	mux := http.NewServeMux()
	mux.Handle("/mcp", guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := accesstoken.FromContext(r.Context())
		fmt.Fprintf(w, "good day, %s\n", claims.Subject)
	})))
	mux.Handle(guard.MetadataPath(), guard.MetadataHandler())

	call(mux, "POST", "/mcp", "")
	call(mux, "POST", "/mcp", issuer.issue("https://mail.example.com/mcp", "todo:read"))
	call(mux, "POST", "/mcp", issuer.issue(resource, "todo:read"))
	// Output:
	// 401 {"error_description":"this server needs an access token"}
	//     Bearer resource_metadata="https://todo.example.com/.well-known/oauth-protected-resource/mcp", scope="todo:read"
	// 401 {"error":"invalid_token","error_description":"the access token is for another resource"}
	//     Bearer error="invalid_token", error_description="the access token is for another resource", resource_metadata="https://todo.example.com/.well-known/oauth-protected-resource/mcp", scope="todo:read"
	// 200 good day, alice
}

// Routes may need scopes beyond those that every valid token opens. The challenge
// tells the client which, so that it can ask its user for them.
func ExampleGuard_RequireScopes() {
	issuer := startAuthorizationServer()
	defer issuer.Close()

	const resource = "https://todo.example.com"
	guard := &accesstoken.Guard{
		Verifier: &accesstoken.Verifier{
			Issuers: []string{issuer.issuer()}, Audiences: []string{resource},
			Keys: jwks.NewRemote(jwks.Options{URL: issuer.URL + "/keys"}),
		},
		Resource: resource,
	}
	export := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "everything") })
	mux := http.NewServeMux()
	mux.Handle("GET /export", guard.RequireScopes("todo:export")(export))

	call(mux, "GET", "/export", issuer.issue(resource, "todo:read"))
	call(mux, "GET", "/export", issuer.issue(resource, "todo:read", "todo:export"))
	// Output:
	// 403 {"error":"insufficient_scope","error_description":"the token's scope does not open this operation"}
	//     Bearer error="insufficient_scope", error_description="the token's scope does not open this operation", resource_metadata="https://todo.example.com/.well-known/oauth-protected-resource", scope="todo:export"
	// 200 everything
}

// A Follower hears of every grant that ends, and the Verifier refuses its tokens from
// then on. Fresh says what becomes of tokens while nothing can be heard: here, after
// two minutes of silence, they are refused.
func Example_revocation() {
	issuer := startAuthorizationServer()
	defer issuer.Close()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()

	ended, known := &revocation.Set{}, make(chan bool)
	follower := &revocation.Follower{
		URL: issuer.URL + "/revocations", Set: ended,
		OnRevoked: func([]revocation.Revocation) { close(known) },
	}
	const resource = "https://todo.example.com/mcp"
	verifier := &accesstoken.Verifier{
		Issuers: []string{issuer.issuer()}, Audiences: []string{resource}, CacheSize: 10_000,
		Keys:        jwks.NewRemote(jwks.Options{URL: issuer.URL + "/keys"}),
		Revocations: ended,
		Fresh: func() error {
			if time.Since(follower.LastContact()) > 2*time.Minute {
				return errors.New("the authorization server cannot be reached")
			}
			return nil
		},
	}
	token := issuer.issue(resource, "todo:read")

	_, err := verifier.Verify(ctx, token)
	fmt.Println("before the first contact:", errors.Is(err, accesstoken.ErrRevocationsUnavailable))

	go follower.Run(ctx)
	for ctx.Err() == nil && follower.LastContact().IsZero() {
		time.Sleep(time.Millisecond)
	}
	claims, err := verifier.Verify(ctx, token)
	fmt.Println("then:", claims.Subject, err)

	issuer.revoke("grant-1")
	select {
	case <-known:
	case <-ctx.Done():
	}
	_, err = verifier.Verify(ctx, token)
	fmt.Println("once the grant has ended:", err)
	// Output:
	// before the first contact: true
	// then: alice <nil>
	// once the grant has ended: the access token is invalid: it was revoked
}
