// Package accesstoken is the JWT profile for OAuth 2.0 access tokens (RFC 9068),
// from both ends: the authorization server writes Claims with Sign, a resource
// server reads them with a Verifier.
//
// A Verifier asks, in this order: is the text a JWS with an algorithm we allow
// and no key of its own; is its type at+jwt; do we know its key and does the
// signature hold; is it from an issuer we trust; is it for us; is it valid now.
// Each no has its own error, all of which wrap ErrInvalid.
//
// A token may be bound to a key (RFC 9449). The Verifier accepts it and reports the
// key's thumbprint in the claims; whoever uses the claims must then check that the
// sender has the key.
package accesstoken
