// Package jwks holds the public keys of another party, as a JSON Web Key Set
// (RFC 7517 §5) publishes them, for the verification of signatures.
//
// Parse makes a Set of what is given. A Remote is a Set that follows a URL:
//
//	bootstrap bytes ──▶ set ◀── Run: periodic refresh
//	                     ▲
//	                     └────── Key: an unknown kid, rate-limited
//
// A lookup reads an atomic snapshot and waits for the network only when the kid
// is unknown. What strangers can cause by inventing kids is bounded: one fetch at
// a time, and only as many as the rate limit allows. When the other party cannot
// be reached, the last good set stays in force.
//
// Both Set and Remote are an accesstoken.KeySource. For assertions, whose signers
// may leave "kid" out, both have Candidates; a Remote then refreshes itself when it
// is asked and needs no Run.
package jwks
