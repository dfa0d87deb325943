// Package accesstoken is the JWT profile for OAuth 2.0 access tokens (RFC 9068), from
// both ends: the authorization server writes Claims with Sign, a resource server lets
// requests pass with a Guard.
//
// An HTTP server is protected by a source of keys, a Verifier, a Guard and two lines of
// its mux:
//
//	keys := jwks.NewRemote(jwks.Options{URL: "https://auth.example.com/keys"})
//	go keys.Run(ctx)
//	guard := &accesstoken.Guard{
//		Verifier: &accesstoken.Verifier{
//			Issuers:   []string{"https://auth.example.com/resources/apps-todo"},
//			Audiences: []string{"https://todo.example.com/mcp"},
//			Keys:      keys,
//			CacheSize: 10_000,
//		},
//		Resource: "https://todo.example.com/mcp",
//		Scopes:   oauth.NewScopeSet("todo:read"),
//	}
//	mux.Handle("/mcp", guard.Handler(handler)) // or guard.RequireScopes("todo:read")(handler)
//	mux.Handle(guard.MetadataPath(), guard.MetadataHandler())
//
// The handler finds the caller with FromContext; tools of the MCP Go SDK do with package
// gosdk. A revocation.Follower whose Set is the Verifier's Revocations makes tokens end
// with their grant. Who writes answers of their own calls Guard.Authenticate; who has no
// HTTP request calls Verifier.Verify.
//
// # What is checked
//
// A Verifier asks, in this order: is the text a JWS with an algorithm we allow
// and no key of its own; is its type at+jwt; do we know its key and does the
// signature hold; is it from an issuer we trust; is it for us; is it valid now; was it
// or its grant revoked. Each no has its own error, all of which wrap ErrInvalid.
//
// Verified tokens may be remembered, by the hash of their text. A remembered one is asked
// anew whatever may have changed: whether its issuer still publishes its key, the
// time, and revocation.
//
// A token may be bound to a key (RFC 9449). The Verifier accepts it and reports the
// key's thumbprint in the claims; whoever uses the claims must then check that the
// sender has the key. A Guard does: it takes a bound token with a proof for the very
// request alone, each proof once, and a token that is not bound as a bearer's alone. It
// looks for tokens in the Authorization header and nowhere else.
package accesstoken
