package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// backend makes the signatures of one key. It is safe for concurrent use.
type backend interface {
	// sign returns the JWS signature over input.
	sign(input []byte) ([]byte, error)
	// size is the length of a signature, in bytes.
	size() int
	// name says whose code signs, and of which version where there are several.
	name() string
}

// backend picks what signs with a key that check has passed.
func (o Options) backend(private crypto.Signer) (backend, error) {
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if !o.WithoutOpenSSL {
			if fast, ok := newOpenSSL(key); ok {
				return fast, nil
			}
		}
		return goRSA{key}, nil
	case *ecdsa.PrivateKey:
		return goECDSA{key}, nil
	case ed25519.PrivateKey:
		return goEd25519{key}, nil
	default:
		return nil, fmt.Errorf("a key of type %T cannot sign", private)
	}
}

// goRSA signs RS256 with Go's own code (RFC 7518 §3.3).
type goRSA struct{ key *rsa.PrivateKey }

func (b goRSA) name() string { return "go crypto/rsa" }
func (b goRSA) size() int    { return b.key.Size() }

func (b goRSA) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	return rsa.SignPKCS1v15(nil, b.key, crypto.SHA256, digest[:])
}

// goECDSA signs ES256 (RFC 7518 §3.4).
type goECDSA struct{ key *ecdsa.PrivateKey }

// coordinate is the length of R and S on P-256, in bytes.
const coordinate = 32

func (b goECDSA) name() string { return "go crypto/ecdsa" }
func (b goECDSA) size() int    { return 2 * coordinate }

func (b goECDSA) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, b.key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 2*coordinate)
	r.FillBytes(signature[:coordinate])
	s.FillBytes(signature[coordinate:])
	return signature, nil
}

// goEd25519 signs EdDSA (RFC 8037 §3.1).
type goEd25519 struct{ key ed25519.PrivateKey }

func (b goEd25519) name() string { return "go crypto/ed25519" }
func (b goEd25519) size() int    { return ed25519.SignatureSize }

func (b goEd25519) sign(input []byte) ([]byte, error) { return ed25519.Sign(b.key, input), nil }

// turns lets as many signatures be made at a time as there are cores, first come
// first served. More at a time would finish no sooner in sum, and each of them
// later.
type turns struct{ free *semaphore.Weighted }

func newTurns(n int) turns {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return turns{semaphore.NewWeighted(int64(n))}
}

// take waits for a turn; the caller gives it back with done.
func (t turns) take() (done func(), err error) {
	if err := t.free.Acquire(context.Background(), 1); err != nil {
		return nil, fmt.Errorf("wait for a turn to sign: %w", err)
	}
	return func() { t.free.Release(1) }, nil
}
