package accesstoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// holder's key is the one that tokens are bound to, stranger's is another.
var holder, stranger = sync.OnceValue(newKey), sync.OnceValue(newKey)

// bound binds a token to the holder's key.
func bound(c *accesstoken.Claims) {
	sum, err := (&jose.JSONWebKey{Key: holder().Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		panic(err)
	}
	c.KeyThumbprint = base64.RawURLEncoding.EncodeToString(sum)
}

var proofs atomic.Int64

// proof is a good one for a POST of the token to the resource, changed as the test
// wishes.
func proof(t testing.TB, key *ecdsa.PrivateKey, token string, change map[string]any) string {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	claims := map[string]any{
		"jti": "proof-" + strconv.FormatInt(proofs.Add(1), 10), "htm": "POST", "htu": resource,
		"iat": start.Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	maps.Copy(claims, change)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType(dpop.Type)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proving sends a token as a bound one.
func proving(token string, proofs ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header["Dpop"] = proofs
	}
}

func TestABoundTokenPassesWithAProofOfItsKey(t *testing.T) {
	for _, required := range []bool{false, true} {
		g := newGuarded(t, func(g *accesstoken.Guard) { g.RequireDPoP = required })
		raw := sign(t, g.ring, bound)
		for name, r := range map[string]*http.Request{
			"a call":             post(proving(raw, proof(t, holder(), raw, nil))),
			"below the path":     post(proving(raw, proof(t, holder(), raw, map[string]any{"htu": resource + "/x"})), func(r *http.Request) { r.URL.Path += "/x" }),
			"with a query":       post(proving(raw, proof(t, holder(), raw, nil)), query("page=2")),
			"a stream":           post(proving(raw, proof(t, holder(), raw, map[string]any{"htm": "GET"})), func(r *http.Request) { r.Method = http.MethodGet }),
			"dpop in lower case": post(proving(raw, proof(t, holder(), raw, nil)), with("Authorization", "dpop "+raw)),
		} {
			if got, err := g.Authenticate(r); err != nil || got.Claims.Subject != "people|alice" || got.Token != raw {
				t.Errorf("%s (required %t): %+v, %v", name, required, got, err)
			}
		}
	}
}

func TestPossessionSecurityMatrix(t *testing.T) {
	g := newGuarded(t)
	raw, other, free := sign(t, g.ring, bound), sign(t, g.ring, bound, func(c *accesstoken.Claims) { c.ID = "token-2" }), sign(t, g.ring)
	deviating := func(name string, value any) func(*http.Request) {
		return proving(raw, proof(t, holder(), raw, map[string]any{name: value}))
	}
	for _, tt := range []struct {
		name, clause string
		request      func(*http.Request)
		code         oauth.ErrorCode
		says         string
	}{
		{"a bound token as a bearer's", "RFC 9449 §7.2", bearing(raw), oauth.InvalidToken, "bound to a key; send it with the DPoP scheme"},
		{"a bound token as a bearer's, with its proof", "RFC 9449 §7.2", func(r *http.Request) {
			proving(raw, proof(t, holder(), raw, nil))(r)
			bearing(raw)(r)
		}, oauth.InvalidToken, "bound to a key; send it with the DPoP scheme"},
		{"a bearer's token as a bound one, with a proof", "RFC 9449 §7.1", proving(free, proof(t, holder(), free, nil)), oauth.InvalidToken, "not bound to a key"},
		{"no proof", "RFC 9449 §4.3, check 1", with("Authorization", "DPoP "+raw), oauth.InvalidDPoPProof, "has no DPoP proof"},
		{"two proofs", "RFC 9449 §4.3, check 1", proving(raw, proof(t, holder(), raw, nil), proof(t, holder(), raw, nil)), oauth.InvalidDPoPProof, "proof is invalid"},
		{"no JWT", "RFC 9449 §4.3, check 2", proving(raw, "proof"), oauth.InvalidDPoPProof, "proof is invalid"},
		{"the token for a proof", "RFC 9449 §4.3, check 4", proving(raw, raw), oauth.InvalidDPoPProof, "proof is invalid"},
		{"another method", "RFC 9449 §4.3, check 8", deviating("htm", "GET"), oauth.InvalidDPoPProof, "for another"},
		{"another path", "RFC 9449 §4.3, check 9", deviating("htu", resource+"/other"), oauth.InvalidDPoPProof, "for another"},
		{"another host", "RFC 9449 §4.3, check 9", deviating("htu", "https://other.example.com/public/mcp"), oauth.InvalidDPoPProof, "for another"},
		{"another scheme", "RFC 9449 §4.3, check 9", deviating("htu", "http://mcp.example.com/public/mcp"), oauth.InvalidDPoPProof, "for another"},
		{"the address behind the proxy", "RFC 9449 §4.3, check 9", deviating("htu", "http://10.0.0.7:8080/public/mcp"), oauth.InvalidDPoPProof, "for another"},
		{"the host that the request says", "RFC 9449 §4.3, check 9", func(r *http.Request) {
			r.Host = "evil.example"
			deviating("htu", "https://evil.example/public/mcp")(r)
		}, oauth.InvalidDPoPProof, "for another"},
		{"an old one", "RFC 9449 §4.3, check 11", deviating("iat", start.Add(-2*time.Minute).Unix()), oauth.InvalidDPoPProof, "too long ago"},
		{"one of the future", "RFC 9449 §4.3, check 11", deviating("iat", start.Add(2*time.Minute).Unix()), oauth.InvalidDPoPProof, "too long ago or in the future"},
		{"for another token", "RFC 9449 §4.3, check 12", proving(raw, proof(t, holder(), other, nil)), oauth.InvalidDPoPProof, "for another"},
		{"for no token", "RFC 9449 §4.3, check 12", deviating("ath", ""), oauth.InvalidDPoPProof, "proof is invalid"},
		{"by another key", "RFC 9449 §4.3, check 12", proving(raw, proof(t, stranger(), raw, nil)), oauth.InvalidDPoPProof, "for another"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := g.Authenticate(post(tt.request))
			refusal := wantRefusal(t, err, http.StatusUnauthorized, tt.code, tt.says)
			if got != (accesstoken.Presented{}) || len(refusal.Challenges) != 1 {
				t.Errorf("%s: got %+v, challenges %q", tt.clause, got, refusal.Challenges)
			}
		})
	}
}

func TestAGuardThatDemandsKeysTakesNoBearersToken(t *testing.T) {
	g := newGuarded(t, func(g *accesstoken.Guard) { g.RequireDPoP = true })
	free := sign(t, g.ring)
	for name, request := range map[string]func(*http.Request){
		"as a bearer's": bearing(free),
		"with a proof":  proving(free, proof(t, holder(), free, nil)),
	} {
		_, err := g.Authenticate(post(request))
		if refusal := wantRefusal(t, err, http.StatusUnauthorized, oauth.InvalidToken, "bound to a key alone"); len(refusal.Challenges) != 2 {
			t.Errorf("%s: the challenges are %q", name, refusal.Challenges)
		}
	}
}

func TestAProofIsTakenOnceByAllGuardsThatShareAMemory(t *testing.T) {
	memory := dpop.NewReplays(0, 0)
	share := func(g *accesstoken.Guard) { g.Proofs = memory }
	g, twin := newGuarded(t, share), newGuarded(t, share)
	raw := sign(t, g.ring, bound)
	made := proof(t, holder(), raw, nil)
	if _, err := g.Authenticate(post(proving(raw, made))); err != nil {
		t.Fatal(err)
	}
	for _, again := range []*guarded{g, twin} {
		_, err := again.Authenticate(post(proving(raw, made)))
		_ = wantRefusal(t, err, http.StatusUnauthorized, oauth.InvalidDPoPProof, "was used before")
		if !errors.Is(err, dpop.ErrReplayed) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAGuardHasAMemoryForProofsOfItsOwn(t *testing.T) {
	g := newGuarded(t)
	raw := sign(t, g.ring, bound)
	made := proof(t, holder(), raw, nil)
	if _, err := g.Authenticate(post(proving(raw, made))); err != nil {
		t.Fatal(err)
	}
	_, err := g.Authenticate(post(proving(raw, made)))
	_ = wantRefusal(t, err, http.StatusUnauthorized, oauth.InvalidDPoPProof, "was used before")
}

func TestAProofOfARefusedTokenIsNotUsedUp(t *testing.T) {
	g := newGuarded(t)
	raw := sign(t, g.ring, bound)
	made := proof(t, holder(), raw, nil)
	g.keys.to(unreachable{})
	_, err := g.Authenticate(post(proving(raw, made)))
	_ = wantRefusal(t, err, http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "keys")
	g.keys.to(follow(t, g.ring))
	if _, err := g.Authenticate(post(proving(raw, made))); err != nil {
		t.Errorf("the proof is gone: %v", err)
	}
}

func TestProofsThatCannotBeRememberedAreRefused(t *testing.T) {
	g := newGuarded(t, func(g *accesstoken.Guard) { g.Proofs = dpop.NewReplays(0, 1) })
	raw := sign(t, g.ring, bound)
	if _, err := g.Authenticate(post(proving(raw, proof(t, holder(), raw, nil)))); err != nil {
		t.Fatal(err)
	}
	_, err := g.Authenticate(post(proving(raw, proof(t, holder(), raw, nil))))
	if refusal := wantRefusal(t, err, http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "too many proofs"); refusal.RetryAfter == 0 {
		t.Errorf("got %+v", refusal)
	}
}
