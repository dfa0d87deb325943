package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var now = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

const (
	target = "https://mcp.example.com/todo"
	secret = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU" // the access token of RFC 9449 §7.1
)

// keys are one of each kind; making RSA keys is slow.
type keys struct {
	p256, p384, other *ecdsa.PrivateKey
	rsa, weak         *rsa.PrivateKey
	edwards           ed25519.PrivateKey
}

var made = sync.OnceValue(func() *keys {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	k := &keys{}
	var err error
	for curve, key := range map[elliptic.Curve][]**ecdsa.PrivateKey{elliptic.P256(): {&k.p256, &k.other}, elliptic.P384(): {&k.p384}} {
		for _, at := range key {
			*at, err = ecdsa.GenerateKey(curve, rand.Reader)
			must(err)
		}
	}
	for bits, at := range map[int]**rsa.PrivateKey{2048: &k.rsa, 1024: &k.weak} {
		*at, err = rsa.GenerateKey(rand.Reader, bits)
		must(err)
	}
	_, k.edwards, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
})

// made proofs are built part by part, so that a test deviates in one of them.
type draft struct {
	header, claims map[string]any
	key            crypto.Signer
	// then changes the finished text.
	then func(string) string
}

// valid is a good proof with one deviation.
func valid(t testing.TB, deviate func(*draft)) string {
	t.Helper()
	d := &draft{
		key:    made().p256,
		header: map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": public(t, made().p256)},
		claims: map[string]any{"jti": "id-1", "htm": "POST", "htu": target, "iat": now.Unix()},
	}
	if deviate != nil {
		deviate(d)
	}
	return d.text(t)
}

func (d *draft) text(t testing.TB) string {
	t.Helper()
	text := part(t, d.header) + "." + part(t, d.claims)
	alg, _ := d.header["alg"].(string)
	text += "." + base64.RawURLEncoding.EncodeToString(signature(t, d.key, alg, text))
	if d.then != nil {
		text = d.then(text)
	}
	return text
}

func part(t testing.TB, v any) string {
	t.Helper()
	if text, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// signature signs as the key does, whatever the header says.
func signature(t testing.TB, key crypto.Signer, alg, text string) []byte {
	t.Helper()
	var made []byte
	var err error
	digest := sha256.Sum256([]byte(text))
	switch k := key.(type) {
	case nil:
	case ed25519.PrivateKey:
		made = ed25519.Sign(k, []byte(text))
	case *rsa.PrivateKey:
		if alg == "PS256" {
			made, err = rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest[:], nil)
		} else {
			made, err = rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
		}
	case *ecdsa.PrivateKey:
		hashed, size := digest[:], 32
		if k.Curve == elliptic.P384() {
			hash := crypto.SHA384.New()
			hash.Write([]byte(text))
			hashed, size = hash.Sum(nil), 48
		}
		r, s, signErr := ecdsa.Sign(rand.Reader, k, hashed)
		if err = signErr; err == nil {
			made = make([]byte, 2*size)
			r.FillBytes(made[:size])
			s.FillBytes(made[size:])
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// public is a key's embedded form as a map that a test changes.
func public(t testing.TB, key crypto.Signer) map[string]any {
	t.Helper()
	return asMap(t, jose.JSONWebKey{Key: key.Public()})
}

func asMap(t testing.TB, v any) map[string]any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func withHeader(name string, value any) func(*draft) {
	return func(d *draft) { d.header[name] = value }
}

func withClaim(name string, value any) func(*draft) {
	return func(d *draft) { d.claims[name] = value }
}

// withKey signs with another key, and embeds it.
func withKey(t testing.TB, alg string, key crypto.Signer) func(*draft) {
	return func(d *draft) {
		d.key, d.header["alg"], d.header["jwk"] = key, alg, public(t, key)
	}
}

// withJWK changes the embedded key.
func withJWK(name string, value any) func(*draft) {
	return func(d *draft) { d.header["jwk"].(map[string]any)[name] = value }
}

func expectation() Expectation { return Expectation{Method: "POST", URL: target, Now: now} }

func thumbprintOf(t testing.TB, key crypto.Signer) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func TestARequestHasOneProof(t *testing.T) {
	request := func(values ...string) *http.Request {
		return &http.Request{Header: http.Header{"Dpop": values}}
	}
	if raw, err := FromRequest(request("proof")); err != nil || raw != "proof" {
		t.Errorf("got %q, %v", raw, err)
	}
	if _, err := FromRequest(request()); !errors.Is(err, ErrMissing) || !errors.Is(err, ErrInvalid) {
		t.Errorf("without one: %v", err)
	}
	if _, err := FromRequest(request("proof", "proof")); !errors.Is(err, ErrMalformed) {
		t.Errorf("with two: %v", err)
	}
	good := valid(t, nil)
	if _, err := Verify(good+", "+good, expectation()); !errors.Is(err, ErrMalformed) {
		t.Errorf("with two in one header: %v", err)
	}
}
