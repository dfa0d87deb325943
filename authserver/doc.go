// Package authserver is the OAuth 2.1 authorization server: one http.Handler
// over a catalog that may be swapped at any time, a key ring that may rotate at
// any time, and a store for what requests create.
//
// # Routes
//
// P is the path of the issuer URL. Every URL that the server states is built
// from the issuer, never from the Host header.
//
//	P/oauth/authorize         GET POST   authorization endpoint         RFC 6749 §3.1
//	P/oauth/token             POST       token endpoint                 RFC 6749 §3.2
//	P/oauth/revoke            POST       token revocation               RFC 7009
//	P/client_register         POST       dynamic client registration    RFC 7591
//	P/keys                    GET        JWKS                           RFC 7517
//	P/oauth/signin            GET POST   page: who are you?
//	P/oauth/consent           GET POST   page: may this app in?
//	P/oauth/callback/{name}   GET        answers of upstream providers
//	/healthz                  GET        the process lives
//
// The first four exist for every resource as well, below P/resources/{id}. The
// metadata of each of these issuers is one document (RFC 8414, OpenID Connect
// Discovery) that is served at all four places where clients look:
//
//	/.well-known/oauth-authorization-server{path}   {path}/.well-known/oauth-authorization-server
//	/.well-known/openid-configuration{path}         {path}/.well-known/openid-configuration
//
// # The journey to a code
//
// There is one order of pages for every provider: say who you are or where you
// sign in, consent, and only then leave for an upstream provider, if that is
// where you sign in. So nobody is sent upstream, where a session may answer
// without a question, before they have seen which app is asking.
//
//	authorize ──▶ sign-in ──▶ consent ──┬──────────────────────▶ code
//	 checks        password, or         │ signed in                ▲
//	               choice of provider   └──▶ upstream ──▶ callback ┘
//
// With a single upstream provider there is nothing to choose, and the journey
// begins at consent. Between the steps the journey rides in the "request"
// parameter, sealed by the ring for exactly the next step, bound to the browser
// by a cookie, and not in a table: see journey.go. An error before client and
// redirect URI are proven ends on a page; after that it goes to the client.
//
// # The phases of a token request
//
// token.go owns the phases that all grants share; a grant proves only its own
// credential. A code or refresh token is redeemable only at the issuer where its
// journey began, since the metadata that a client follows names no other.
package authserver
