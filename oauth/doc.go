// Package oauth is the vocabulary that both sides of the wire share: error
// codes, scope sets, resource identifiers and their equality, redirect URI
// matching, PKCE, metadata documents and the WWW-Authenticate challenge.
//
// The authorization server and the validating sidecar both speak through it,
// so that "the same resource" or "a loopback redirect" can never mean two
// things. It holds no state, does no I/O, and everything in it may be used from
// many goroutines at once.
package oauth
