package authserver_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// holder has a key of its own.
type holder struct{ key *ecdsa.PrivateKey }

func newHolder(t *testing.T) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key}
}

// thumbprint is that of RFC 7638.
func (h holder) thumbprint(t *testing.T) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// jwks is the public half as a key set whose one key is "k1".
func (h holder) jwks(t *testing.T) string {
	t.Helper()
	return asJSON(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: h.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
}

// sign makes a JWT with a type; embed puts the public key into its header instead
// of the key's id.
func (h holder) sign(t *testing.T, typ string, embed bool, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	var key any = h.key
	if !embed {
		key = jose.JSONWebKey{Key: h.key, KeyID: "k1"}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(asJSON(t, claims)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proof is a DPoP proof for a POST to target, with changes; a nil value removes a
// claim.
func (h holder) proof(t *testing.T, target string, now time.Time, changes map[string]any) string {
	t.Helper()
	return h.sign(t, "dpop+jwt", true, merged(map[string]any{
		"jti": credential.Random(12), "htm": "POST", "htu": target, "iat": now.Unix(),
	}, changes))
}

func merged(claims, changes map[string]any) map[string]any {
	for name, value := range changes {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// idClaims verifies an ID token's signature and returns its claims.
func idClaims(t *testing.T, server *authservertest.Server, raw string) map[string]any {
	t.Helper()
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatalf("parse the ID token: %v", err)
	}
	if typ := jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType]; typ != "JWT" {
		t.Errorf("typ: got %v, want JWT", typ)
	}
	set := server.Ring.JWKS()
	payload, err := jws.Verify(set.Key(jws.Signatures[0].Protected.KeyID)[0].Key)
	if err != nil {
		t.Fatalf("verify the ID token: %v", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
