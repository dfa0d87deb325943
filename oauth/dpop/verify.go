package dpop

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"
)

// DefaultWindow is how old a proof may be where an Expectation says nothing else.
const DefaultWindow = time.Minute

// Expectation is what a proof has to be for. Method, URL and Now are always
// needed: their zero values match no proof.
type Expectation struct {
	// Method is the request's HTTP method.
	Method string
	// URL is the request's, as the client knows it: behind proxies that is the public
	// one. Query and fragment do not count (RFC 9449 §4.3, check 9).
	URL string
	// AccessToken is the token that came with the proof, which then has to name it
	// ("ath"); empty at the token endpoint.
	AccessToken string
	// KeyThumbprint is that of the key that the token, code or grant is bound to;
	// empty accepts every key, and the caller binds to Proof.Thumbprint.
	KeyThumbprint string
	Now           time.Time
	// Window is how old a proof may be; half of it is how far in the future its clock
	// may be. Zero means DefaultWindow.
	Window time.Duration
	// Nonce reports whether a nonce is one that the server gave out and still takes;
	// nil does not look at nonces. A nonce says better than the client's clock when a
	// proof was made, so that with a valid one Window does not count (§11.1). A proof
	// with one that is not valid is ErrNonce.
	Nonce func(nonce string) bool
	// RequireNonce refuses proofs without a valid nonce.
	RequireNonce bool
}

// Verify returns what a proof says if it is valid and for what e expects. Its errors
// wrap ErrInvalid. Whether the proof was used before is left to the caller.
func Verify(raw string, e Expectation) (*Proof, error) {
	signed, err := open(raw)
	if err != nil {
		return nil, err
	}
	claims, err := readClaims(signed.payload)
	if err != nil {
		return nil, err
	}
	thumbprint, err := signed.key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, ErrMalformed
	}
	proof := &Proof{
		Thumbprint: base64.RawURLEncoding.EncodeToString(thumbprint),
		ID:         claims.id, IssuedAt: claims.issuedAt, Nonce: claims.nonce,
	}
	if err := e.matches(claims, proof); err != nil {
		return nil, err
	}
	if err := e.fresh(proof); err != nil {
		return nil, err
	}
	return proof, nil
}

// matches is checks 8, 9 and 12 of RFC 9449 §4.3.
func (e Expectation) matches(c *claims, p *Proof) error {
	switch {
	case e.Method == "" || c.method != e.Method:
		return errMethod
	case !sameTarget(c.url, e.URL):
		return errURL
	case e.AccessToken != "" && !equal(c.tokenHash, hashOf(e.AccessToken)):
		return errToken
	case e.KeyThumbprint != "" && !equal(p.Thumbprint, e.KeyThumbprint):
		return errKey
	}
	return nil
}

// fresh is checks 10 and 11.
func (e Expectation) fresh(p *Proof) error {
	if e.Nonce != nil && p.Nonce != "" {
		if !e.Nonce(p.Nonce) {
			return ErrNonce
		}
		return nil
	}
	if e.RequireNonce {
		return ErrNonce
	}
	window := e.Window
	if window == 0 {
		window = DefaultWindow
	}
	if age := e.Now.Sub(p.IssuedAt); age > window || age < -window/2 {
		return ErrTime
	}
	return nil
}

// hashOf is the "ath" of an access token (RFC 9449 §4.2).
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
