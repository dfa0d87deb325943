package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var now = time.Date(2031, time.May, 4, 10, 20, 30, 999, time.UTC)

var algorithms = []Algorithm{RS256, ES256, EdDSA}

func newRing(t *testing.T) *Ring {
	t.Helper()
	return ringOf(t, RS256)
}

func ringOf(t testing.TB, alg Algorithm) *Ring {
	t.Helper()
	ring, err := New(alg, now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestAFirstRingSignsAtOnceAndPublishesItsKey(t *testing.T) {
	ring := newRing(t)
	key := ring.Active()
	want := []Key{{ID: key.ID, Algorithm: RS256, Phase: Active, Created: now.Truncate(time.Second), Activated: now.Truncate(time.Second)}}
	if diff := cmp.Diff(want, ring.Keys(), cmpopts.IgnoreUnexported(Key{})); diff != "" {
		t.Errorf("its keys (-want +got):\n%s", diff)
	}
	set := ring.JWKS()
	if len(set.Keys) != 1 || set.Keys[0].KeyID != string(key.ID) || set.Keys[0].Algorithm != "RS256" || set.Keys[0].Use != "sig" {
		t.Fatalf("its JWKS: %+v", set)
	}
	signature, err := key.Sign([]byte("input"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("input"))
	if err := rsa.VerifyPKCS1v15(set.Keys[0].Key.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Errorf("the published key does not verify the signature: %v", err)
	}
}

func TestTheJWKSHoldsNoPrivateHalf(t *testing.T) {
	data, err := json.Marshal(newRing(t).JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if _, ok := set.Keys[0][member]; ok {
			t.Errorf("it holds %q", member)
		}
	}
}

func TestTheJWKSDocumentIsTheJWKSAndHoldsEveryAlgorithm(t *testing.T) {
	for _, alg := range algorithms {
		ring := ringOf(t, alg)
		want, err := json.Marshal(ring.JWKS())
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(encoded(t, ring))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ring.JWKSDocument(), want) || !bytes.Equal(again.JWKSDocument(), want) {
			t.Errorf("%s: made %s, decoded %s, want %s", alg, ring.JWKSDocument(), again.JWKSDocument(), want)
		}
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(ring.JWKSDocument(), &set); err != nil || len(set.Key(ring.Active().KeyID())) != 1 {
			t.Errorf("%s: a reader finds %+v, %v", alg, set, err)
		}
		if !set.Keys[0].IsPublic() {
			t.Errorf("%s: it holds a private half", alg)
		}
	}
}

func TestOtherAlgorithmsAreRefusedInWords(t *testing.T) {
	for _, alg := range []Algorithm{"HS256", "none", "", "rs256", "ES384"} {
		if _, err := New(alg, now); err == nil || !strings.Contains(err.Error(), strconv.Quote(string(alg))) {
			t.Errorf("%q: got %v", alg, err)
		}
	}
}

func TestTheKeysOfARingAreACopy(t *testing.T) {
	ring := newRing(t)
	ring.Keys()[0].Phase = Retired
	if ring.Active() == nil {
		t.Error("a caller retired the ring's key")
	}
}

func TestARingIsDecodedAsItWasEncoded(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) { assertSurvivesItsEncoding(t, ringOf(t, alg)) })
	}
}

func assertSurvivesItsEncoding(t *testing.T, ring *Ring) {
	t.Helper()
	data := encoded(t, ring)
	again, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ring.Keys(), again.Keys(), cmpopts.IgnoreUnexported(Key{})); diff != "" {
		t.Errorf("its keys (-before +after):\n%s", diff)
	}
	if !ring.Active().private.key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(again.Active().private.key) {
		t.Error("the private half changed")
	}
	sealed, err := ring.Seal("state", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := again.Open("state", sealed); err != nil || string(text) != "text" {
		t.Errorf("the sealing key changed: %q, %v", text, err)
	}
	if !bytes.Equal(data, encoded(t, again)) {
		t.Error("the same ring gives other bytes, so a compare-and-swap would write for nothing")
	}
}

func encoded(t *testing.T, ring *Ring) []byte {
	t.Helper()
	data, err := ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDamagedRingsAreRefused(t *testing.T) {
	ring, other := newRing(t), newRing(t)
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherCurve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	var stranger document
	if err := json.Unmarshal(encoded(t, other), &stranger); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*document)
		says   string
	}{
		{"no signing key", func(d *document) { d.Signing = nil }, "0 active"},
		{"no active key", func(d *document) { d.Signing[0].Phase = Retired }, "0 active"},
		{"two active keys", func(d *document) { d.Signing = append(d.Signing, stranger.Signing[0]) }, "2 active"},
		{"a key there twice", func(d *document) {
			d.Signing = append(d.Signing, d.Signing[0])
			d.Signing[1].Phase = Retired
		}, "twice"},
		{"an unknown phase", func(d *document) { d.Signing[0].Phase = "Sleeping" }, "Sleeping"},
		{"no phase", func(d *document) { d.Signing[0].Phase = "" }, "phase"},
		{"an id that is not the key's own", func(d *document) { d.Signing[0].ID = "other" }, "not the key's own"},
		{"the id of another key", func(d *document) { d.Signing[0].ID = stranger.Signing[0].ID }, "not the key's own"},
		{"a private key cut short", func(d *document) { d.Signing[0].Private = d.Signing[0].Private[:100] }, "damaged"},
		{"a private key with a bit changed", func(d *document) { d.Signing[0].Private[200] ^= 1 }, "key"},
		{"no private key", func(d *document) { d.Signing[0].Private = nil }, "damaged"},
		{"a key of another kind", func(d *document) { d.Signing[0].Private = pkcs8(curve) }, "does not fit"},
		{"an Ed25519 key for RS256", func(d *document) { d.Signing[0].Private = pkcs8(edwards) }, "does not fit"},
		{"an RSA key for ES256", func(d *document) { d.Signing[0].Algorithm = ES256 }, "does not fit"},
		{"an RSA key for EdDSA", func(d *document) { d.Signing[0].Algorithm = EdDSA }, "does not fit"},
		{"a P-384 key for ES256", func(d *document) {
			d.Signing[0].Algorithm, d.Signing[0].Private = ES256, pkcs8(otherCurve)
		}, "does not fit"},
		{"a P-256 key for EdDSA", func(d *document) {
			d.Signing[0].Algorithm, d.Signing[0].Private = EdDSA, pkcs8(curve)
		}, "does not fit"},
		{"an X25519 key for EdDSA", func(d *document) {
			d.Signing[0].Algorithm, d.Signing[0].Private = EdDSA, pkcs8(exchange)
		}, "does not fit"},
		{"a key too small", func(d *document) { d.Signing[0].Private = pkcs8(weak) }, "1024 bits"},
		{"another algorithm", func(d *document) { d.Signing[0].Algorithm = "none" }, "does not fit"},
		{"no sealing key", func(d *document) { d.Sealing = nil }, "no sealing key"},
		{"a sealing key cut short", func(d *document) { d.Sealing[0].Key = d.Sealing[0].Key[:16] }, "damaged"},
		{"a sealing key without an id", func(d *document) { d.Sealing[0].ID = "" }, "damaged"},
		{"two sealing keys of one id", func(d *document) {
			d.Sealing = append(d.Sealing, sealingDocument{ID: d.Sealing[0].ID, Key: stranger.Sealing[0].Key})
		}, "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d document
			if err := json.Unmarshal(encoded(t, ring), &d); err != nil {
				t.Fatal(err)
			}
			tt.change(&d)
			data, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(data)
			if err == nil || got != nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, %v; want an error that says %q", got, err, tt.says)
			}
			assertQuotesNoKey(t, err, &d)
		})
	}
}

func assertQuotesNoKey(t *testing.T, err error, d *document) {
	t.Helper()
	for _, key := range d.Sealing {
		if len(key.Key) > 0 && strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(key.Key)) {
			t.Errorf("the error quotes a key: %v", err)
		}
	}
	for _, key := range d.Signing {
		if text := base64.StdEncoding.EncodeToString(key.Private); len(text) > 40 && strings.Contains(err.Error(), text[:40]) {
			t.Errorf("the error quotes a key: %v", err)
		}
	}
}

func TestTextThatIsNoRingIsRefusedWithoutQuotingIt(t *testing.T) {
	whole := encoded(t, newRing(t))
	for name, data := range map[string][]byte{
		"nothing": nil, "null": []byte("null"), "an array": []byte("[]"), "an empty object": []byte("{}"),
		"cut short": whole[:len(whole)/2], "something behind it": append(bytes.Clone(whole), "x"...),
		"a secret": []byte("hunter2-hunter2-hunter2"),
	} {
		if ring, err := Decode(data); err == nil || ring != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, %v", name, ring, err)
		}
	}
}
