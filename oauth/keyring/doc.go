// Package keyring holds the keys of one authorization server and their life.
//
// A Ring has signing keys, each in a phase, and sealing keys:
//
//	pending ──▶ active ──▶ retired ──▶ (removed)
//
// A pending key is published and does not sign yet, so that every verifier can
// know it before it meets a token signed by it; exactly one key is active and
// signs; a retired key stays published until the last token it signed has
// expired. Sealing keys encrypt the state that the server hands through a
// browser.
//
// A Ring is an immutable value. It travels as one entry of one Kubernetes Secret
// (SecretKey), so that a compare-and-swap replaces all of it or nothing.
//
// A signature is what a token costs. RSA signs through OpenSSL where its library
// is on the machine, in about a third of the time, and through crypto/rsa where it
// is not or Options say so; both give the same bytes. As many signatures of one
// ring are made at a time as there are cores, and the others wait in the order in
// which they came: the last of many does not pay for all.
package keyring
