package client_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/outbound/outboundtest"
)

// clock is a time that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(c.offset.Load()))
}
func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

// world is a directory with a site that it may reach although it is on loopback,
// and names that only tests have.
type world struct {
	*client.Directory
	clock clock
	site  *outboundtest.Site
	names outboundtest.Names
	uses  uses
}

func newWorld(t *testing.T, change ...func(*client.DirectoryOptions)) *world {
	t.Helper()
	w := &world{site: outboundtest.NewSite(t)}
	o := options()
	o.Once, o.Now, o.DNS = &w.uses, w.clock.now, w.names.Resolver()
	for _, c := range change {
		c(&o)
	}
	w.Directory = client.NewDirectory(o)
	return w
}

// open accepts every document and reaches the site.
func (w *world) open() catalog.Content {
	c := content(catalog.Registration{Dynamic: true, MetadataDocuments: true})
	c.Outbound = catalog.Outbound{PrivateHosts: []string{"127.0.0.1"}, CABundle: w.site.CABundle()}
	return c
}

func (w *world) resolver(t *testing.T, change ...func(*catalog.Content)) *client.Resolver {
	t.Helper()
	c := w.open()
	for _, f := range change {
		f(&c)
	}
	return resolverOf(t, w.Directory, c)
}

const documentPath = "/client.json"

// id is the client whose document is on the site.
func (w *world) id() string { return w.site.URL + documentPath }

// publish puts a valid document on the site, with its changes; nil takes a member
// out.
func (w *world) publish(t testing.TB, changes map[string]any) {
	t.Helper()
	w.site.Say(documentPath, documentOf(t, w.id(), changes))
}

func documentOf(t testing.TB, id string, changes map[string]any) string {
	t.Helper()
	members := map[string]any{
		"client_id": id, "client_name": "Example App", "redirect_uris": []string{"https://app.example/cb", "http://127.0.0.1/cb"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "none", "scope": "a b", "application_type": "native", "unknown": map[string]any{"x": []int{1}},
	}
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	return encode(t, members)
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func maxAge(seconds string) http.Header { return http.Header{"Cache-Control": {"max-age=" + seconds}} }

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// edKey is another signer's.
func edKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// publicKeys is the key set of rsaKey, without a kid.
func publicKeys() jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), Use: "sig"}}}
}

// assertionOf is a client assertion of the id, signed by rsaKey, with its changes;
// nil takes a claim out.
func (w *world) assertionOf(t testing.TB, id string, changes map[string]any) string {
	t.Helper()
	now := w.clock.now()
	claims := map[string]any{
		"iss": id, "sub": id, "aud": issuer, "jti": t.Name(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return sign(t, map[string]any{"alg": "RS256"}, claims, func(input []byte) []byte {
		sum := sha256.Sum256(input)
		signature, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	})
}

func sign(t testing.TB, header, claims map[string]any, by func([]byte) []byte) string {
	t.Helper()
	parts := []string{
		base64.RawURLEncoding.EncodeToString([]byte(encode(t, header))), base64.RawURLEncoding.EncodeToString([]byte(encode(t, claims))),
	}
	signature := by([]byte(strings.Join(parts, ".")))
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
}
