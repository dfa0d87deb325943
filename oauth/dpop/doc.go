// Package dpop verifies proofs of possession (RFC 9449): a JWT that a client signs
// for one request, with a key whose public half it embeds. Authorization servers
// bind tokens to that key; resource servers demand a proof of it beside each bound
// token.
//
// Verify asks, in this order: is the text a JWS of type dpop+jwt with an algorithm
// we allow and one public key that fits it; does the signature hold; does it have
// every claim; is it for this method and URL, this access token and this key; is it
// fresh. Each no has its own error, all of which wrap ErrInvalid.
//
// What Verify cannot know is whether a proof was used before: Replays remembers
// that within one process, and a server with several replicas asks its store for
// Proof.ReplayKey.
package dpop
