package dpop

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Header is the name of the HTTP header that carries a proof (RFC 9449 §4.1), and
// Scheme that of the authentication scheme of bound tokens (§7.1).
const (
	Header = "DPoP"
	Scheme = "DPoP"
)

// Type is the "typ" of a proof (RFC 9449 §4.2).
const Type = "dpop+jwt"

// MaxSize bounds a proof, in bytes.
const MaxSize = 8 << 10

// The reasons for which a proof is refused. All wrap ErrInvalid, and none quotes the
// proof.
var (
	ErrInvalid = errors.New("the DPoP proof is invalid")
	// ErrMissing says that a request has no proof.
	ErrMissing   = fmt.Errorf("%w: there is none", ErrInvalid)
	ErrMalformed = fmt.Errorf("%w: it is not of RFC 9449's shape", ErrInvalid)
	ErrSignature = fmt.Errorf("%w: its signature does not hold", ErrInvalid)
	// ErrMismatch says that the proof is for another request, token or key.
	ErrMismatch = fmt.Errorf("%w: it is for something else", ErrInvalid)
	ErrTime     = fmt.Errorf("%w: it was made too long ago or in the future", ErrInvalid)
	// ErrNonce says that the proof needs a nonce that the server gave out: the answer
	// is use_dpop_nonce, with one (RFC 9449 §8).
	ErrNonce    = fmt.Errorf("%w: it has no nonce of this server, or one that is too old", ErrInvalid)
	ErrReplayed = fmt.Errorf("%w: it was used before", ErrInvalid)
)

// What ErrMismatch is about.
var (
	errMethod = fmt.Errorf("%w: another method", ErrMismatch)
	errURL    = fmt.Errorf("%w: another URL", ErrMismatch)
	errToken  = fmt.Errorf("%w: another access token", ErrMismatch)
	errKey    = fmt.Errorf("%w: another key", ErrMismatch)
)

// Proof is what a valid proof says.
type Proof struct {
	// Thumbprint is that of the key (RFC 7638, SHA-256), in base64url: the "jkt" of
	// tokens that are bound to it.
	Thumbprint string
	// ID is the proof's own identifier, "jti".
	ID       string
	IssuedAt time.Time
	// Nonce is the server's that the client repeated; empty where it sent none.
	Nonce string
}

// ReplayKey is the text that may be used once while the proof is fresh. Two keys
// may use the same "jti".
func (p *Proof) ReplayKey() string { return p.Thumbprint + "." + p.ID }

// FromRequest returns the request's one proof, not yet verified. It fails with
// ErrMissing where there is none and with ErrMalformed where there are several (RFC
// 9449 §4.3, check 1).
func FromRequest(r *http.Request) (string, error) {
	switch proofs := r.Header.Values(Header); len(proofs) {
	case 0:
		return "", ErrMissing
	case 1:
		return proofs[0], nil
	default:
		return "", ErrMalformed
	}
}
