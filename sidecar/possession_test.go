package sidecar

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/policy"
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

// boundTo binds a token to a key.
func boundTo(t *testing.T, key *ecdsa.PrivateKey) func(*accesstoken.Claims) {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *accesstoken.Claims) { c.KeyThumbprint = base64.RawURLEncoding.EncodeToString(sum) }
}

func demandKeys(p *policy.Policy) { p.RequireDPoP = true }

var proofs atomic.Int64

// proof makes a good proof for a POST of the token to the resource, changed as the
// test wishes.
func proof(t *testing.T, key *ecdsa.PrivateKey, token string, change ...func(claims map[string]any)) string {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	claims := map[string]any{
		"jti": "proof-" + time.Duration(proofs.Add(1)).String(), "htm": "POST", "htu": testResource,
		"iat": time.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	for _, c := range change {
		c(claims)
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType(dpop.Type)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(encodeJSON(t, claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func claim(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

// withProof sends a token as a bound one.
func withProof(token string, proofs ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header["Dpop"] = proofs
	}
}

func TestABoundTokenPassesWithAProofOfItsKey(t *testing.T) {
	b := protect(t)
	bound := token(t, "todo:read", boundTo(t, holder()))
	for _, tt := range []struct {
		name, method, path string
	}{
		{"a call", http.MethodPost, testPath},
		{"a call below the path", http.MethodPost, testPath + "/below"},
		{"a stream", http.MethodGet, testPath},
		{"the end of a session", http.MethodDelete, testPath},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made := proof(t, holder(), bound, claim("htm", tt.method), claim("htu", "https://mcp.example.com"+tt.path))
			var got *reply
			if tt.method == http.MethodPost {
				got = b.post(t, "", call("get_task"), withProof(bound, made), func(r *http.Request) { r.URL.Path = tt.path })
			} else {
				got = b.do(t, tt.method, tt.path, "", withProof(bound, made))
			}
			wantStatus(t, got, http.StatusOK)
			r, _ := b.last(t)
			if r.Header.Get(HeaderSubject) != "alice" || len(r.Header.Values("DPoP")) != 0 || len(r.Header.Values("Authorization")) != 0 {
				t.Errorf("the MCP server got %v", r.Header)
			}
		})
	}
}

func TestTheSchemesNameMayBeInAnyCase(t *testing.T) {
	b := protect(t, demandKeys)
	bound := token(t, "todo:read", boundTo(t, holder()))
	for _, scheme := range []string{"DPoP", "dpop", "DPOP"} {
		wantStatus(t, b.post(t, "", call("get_task"), withProof(bound, proof(t, holder(), bound)), header("Authorization", scheme+" "+bound)), http.StatusOK)
	}
}

func TestABoundTokenIsNothingWithoutAProofForThisRequest(t *testing.T) {
	bound := token(t, "todo:read", boundTo(t, holder()))
	other := token(t, "todo:read", boundTo(t, holder()))
	tests := []struct {
		name   string
		send   func(b *bench) func(*http.Request)
		code   string
		says   string
		reason string
	}{
		{"as a bearer's", func(*bench) func(*http.Request) { return header("Authorization", "Bearer "+bound) },
			"invalid_token", "send it with the DPoP scheme and a proof", "invalid_token"},
		{"as a bearer's, with a proof beside it", func(*bench) func(*http.Request) {
			return func(r *http.Request) {
				withProof(bound, proof(t, holder(), bound))(r)
				r.Header.Set("Authorization", "Bearer "+bound)
			}
		}, "invalid_token", "send it with the DPoP scheme and a proof", "invalid_token"},
		{"without a proof", func(*bench) func(*http.Request) { return header("Authorization", "DPoP "+bound) },
			"invalid_dpop_proof", "has no DPoP proof", "invalid_dpop_proof"},
		{"with two proofs", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound), proof(t, holder(), bound))
		}, "invalid_dpop_proof", "the DPoP proof is invalid", "invalid_dpop_proof"},
		{"with a proof that is none", func(*bench) func(*http.Request) { return withProof(bound, "proof") },
			"invalid_dpop_proof", "the DPoP proof is invalid", "invalid_dpop_proof"},
		{"with the token for a proof", func(*bench) func(*http.Request) { return withProof(bound, bound) },
			"invalid_dpop_proof", "the DPoP proof is invalid", "invalid_dpop_proof"},
		{"with a stranger's proof", func(*bench) func(*http.Request) { return withProof(bound, proof(t, stranger(), bound)) },
			"invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for another of the holder's tokens", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), other))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for no token", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, func(c map[string]any) { delete(c, "ath") }))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for another method", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, claim("htm", "GET")))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for another path", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, claim("htu", testResource+"/other")))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for another server", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, claim("htu", "https://other.example.com/public/mcp")))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for the address behind the public one", func(b *bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, claim("htu", b.url+testPath)))
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with a proof for the host that the request says", func(*bench) func(*http.Request) {
			return func(r *http.Request) {
				r.Host = "evil.example"
				withProof(bound, proof(t, holder(), bound, claim("htu", "https://evil.example"+testPath)))(r)
			}
		}, "invalid_dpop_proof", "for another", "invalid_dpop_proof"},
		{"with an old proof", func(*bench) func(*http.Request) {
			return withProof(bound, proof(t, holder(), bound, claim("iat", time.Now().Add(-2*time.Minute).Unix())))
		}, "invalid_dpop_proof", "too long ago", "invalid_dpop_proof"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			got := b.post(t, "", call("get_task"), tt.send(b))
			wantStatus(t, got, http.StatusUnauthorized)
			challenges := got.Header.Values("WWW-Authenticate")
			if len(challenges) != 1 || !strings.HasPrefix(got.challenge(), `Bearer error="`+tt.code+`"`) || !strings.Contains(got.challenge(), tt.says) {
				t.Errorf("the challenges are %q", challenges)
			}
			b.untouched(t)
			stop(t, b)
			if !strings.Contains(b.audits.String(), `"reason":"`+tt.reason+`"`) {
				t.Errorf("the audit says %s", b.audits)
			}
			if logs := b.logs.String(); strings.Contains(logs, bound) {
				t.Errorf("the log has the token: %s", logs)
			}
		})
	}
}

func TestAProofIsTakenOnce(t *testing.T) {
	b := protect(t)
	bound := token(t, "todo:read", boundTo(t, holder()))
	made := proof(t, holder(), bound)
	wantStatus(t, b.post(t, "", call("get_task"), withProof(bound, made)), http.StatusOK)
	got := b.post(t, "", call("get_task"), withProof(bound, made))
	wantStatus(t, got, http.StatusUnauthorized)
	if !strings.Contains(got.challenge(), "was used before") {
		t.Errorf("the challenge is %s", got.challenge())
	}
	if len(b.seen) != 1 {
		t.Errorf("%d requests reached the MCP server", len(b.seen))
	}
}

func TestAProofOfATokenThatIsRefusedIsNotUsed(t *testing.T) {
	b := protect(t)
	expired := token(t, "todo:read", boundTo(t, holder()), func(c *accesstoken.Claims) { c.Expiry = time.Now().Add(-time.Hour) })
	bound := token(t, "todo:read", boundTo(t, holder()))
	made := proof(t, holder(), bound)
	wantStatus(t, b.post(t, "", call("get_task"), withProof(expired, made)), http.StatusUnauthorized)
	wantStatus(t, b.post(t, "", call("get_task"), withProof(bound, made)), http.StatusOK)
}

func TestProofsThatCannotBeRememberedAreRefused(t *testing.T) {
	b := protect(t)
	b.sidecar.proofs = dpop.NewReplays(0, 1)
	bound := token(t, "todo:read", boundTo(t, holder()))
	wantStatus(t, b.post(t, "", call("get_task"), withProof(bound, proof(t, holder(), bound))), http.StatusOK)
	got := b.post(t, "", call("get_task"), withProof(bound, proof(t, holder(), bound)))
	wantStatus(t, got, http.StatusServiceUnavailable)
	if got.Header.Get("Retry-After") == "" || len(b.seen) != 1 {
		t.Errorf("header %v; %d requests reached the MCP server", got.Header, len(b.seen))
	}
}

func TestATokenThatIsNotBoundIsABearersAlone(t *testing.T) {
	b := protect(t)
	unbound := token(t, "todo:read")
	got := b.post(t, "", call("get_task"), withProof(unbound, proof(t, holder(), unbound)))
	wantStatus(t, got, http.StatusUnauthorized)
	if !strings.Contains(got.challenge(), "send it with the Bearer scheme") {
		t.Errorf("the challenge is %s", got.challenge())
	}
	b.untouched(t)
	wantStatus(t, b.post(t, unbound, call("get_task"), header("DPoP", proof(t, holder(), unbound))), http.StatusOK)
	if r, _ := b.last(t); len(r.Header.Values("DPoP")) != 0 {
		t.Errorf("the MCP server got %v", r.Header)
	}
}

func TestAPolicyMayDemandKeys(t *testing.T) {
	b := protect(t, demandKeys)
	unbound := token(t, "todo:read")
	for name, change := range map[string]func(*http.Request){
		"as a bearer's": header("Authorization", "Bearer "+unbound),
		"with a proof":  withProof(unbound, proof(t, holder(), unbound)),
		"no token":      func(*http.Request) {},
	} {
		got := b.post(t, "", call("get_task"), change)
		wantStatus(t, got, http.StatusUnauthorized)
		challenges := got.Header.Values("WWW-Authenticate")
		if len(challenges) != 2 || !strings.HasPrefix(challenges[0], "Bearer ") || challenges[1] != `DPoP algs="ES256 RS256 PS256 EdDSA ES384"` {
			t.Errorf("%s: the challenges are %q", name, challenges)
		}
	}
	b.untouched(t)
	bound := token(t, "todo:read", boundTo(t, holder()))
	wantStatus(t, b.post(t, "", call("get_task"), withProof(bound, proof(t, holder(), bound))), http.StatusOK)

	got := b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, "")
	if !strings.Contains(got.body, `"dpop_bound_access_tokens_required":true`) || !strings.Contains(got.body, `"dpop_signing_alg_values_supported":["ES256",`) {
		t.Errorf("the metadata does not say so: %s", got.body)
	}
}
