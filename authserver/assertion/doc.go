// Package assertion reads JWTs by which others vouch for somebody (RFC 7523): a
// client for itself, an enterprise's identity provider for a user (ID-JAG), a
// platform for a workload.
//
// Verify asks, in this order: is the text a JWS with an algorithm we allow, no key
// of its own and no member twice; is its type one of the Kind; does the signature
// hold by a key of whoever should have signed; is it from them, about whom we
// expect, for us; is it valid now, and not for longer than the Kind may be. Each no
// has its own error, all of which wrap ErrInvalid. What may be used once is the
// caller's to keep: see Assertion.Once.
//
// Keys come from a KeySets, which follows what is published where strangers say,
// within bounds:
//
//	Written ──▶ parsed
//	Published ──▶ jwks.Remote ──▶ outbound
//	Discovered ──▶ {issuer}/.well-known/… ──▶ jwks.Remote ──▶ outbound
package assertion
