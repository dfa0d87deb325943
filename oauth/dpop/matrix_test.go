package dpop

import (
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The proofs of RFC 9449, whose key is the same.
const (
	exampleHead    = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	exampleAtToken = exampleHead + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	exampleBeside  = exampleHead + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	exampleJKT     = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

func TestTheProofsOfRFC9449Verify(t *testing.T) {
	for _, tt := range []struct {
		clause, raw string
		e           Expectation
		want        Proof
	}{
		{"§4.1", exampleAtToken, Expectation{
			Method: "POST", URL: "https://server.example.com/token", Now: time.Unix(1562262616, 0),
		}, Proof{Thumbprint: exampleJKT, ID: "-BwC3ESc6acc2lTc", IssuedAt: time.Unix(1562262616, 0).UTC()}},
		{"§7.1", exampleBeside, Expectation{
			Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: secret,
			KeyThumbprint: exampleJKT, Now: time.Unix(1562262620, 0),
		}, Proof{Thumbprint: exampleJKT, ID: "e1j3V_bKic8-LAEB", IssuedAt: time.Unix(1562262618, 0).UTC()}},
	} {
		got, err := Verify(tt.raw, tt.e)
		if err != nil {
			t.Errorf("%s: %v", tt.clause, err)
			continue
		}
		if diff := cmp.Diff(tt.want, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.clause, diff)
		}
	}
}

func TestProofsThatMustBeAccepted(t *testing.T) {
	k := made()
	for name, deviate := range map[string]func(*draft){
		"a plain one":                    nil,
		"RS256":                          withKey(t, "RS256", k.rsa),
		"PS256":                          withKey(t, "PS256", k.rsa),
		"EdDSA":                          withKey(t, "EdDSA", k.edwards),
		"ES384":                          withKey(t, "ES384", k.p384),
		"with a kid":                     withHeader("kid", "mine"),
		"a key that says what it is for": withJWK("use", "sig"),
		"a key that says how it is used": withJWK("key_ops", []string{"verify"}),
		"a key that says its algorithm":  withJWK("alg", "ES256"),
		"a key with a kid":               withJWK("kid", "mine"),
		"a query in htu (§4.3)":          withClaim("htu", target+"?a=1"),
		"a fragment in htu (§4.3)":       withClaim("htu", target+"#a"),
		"htu in another case":            withClaim("htu", "HTTPS://MCP.EXAMPLE.COM/todo"),
		"htu with the port of https":     withClaim("htu", "https://mcp.example.com:443/todo"),
		"htu encoded without need":       withClaim("htu", "https://mcp.example.com/%74od%6F"),
		"as old as may be":               withClaim("iat", now.Add(-60*time.Second).Unix()),
		"a clock that is fast":           withClaim("iat", now.Add(30*time.Second).Unix()),
		"iat with a fraction":            withClaim("iat", float64(now.Unix())+0.25),
		"a nonce, which nobody looks at": withClaim("nonce", "whatever"),
		"an ath, which nobody looks at":  withClaim("ath", "whatever"),
		"claims that we do not know":     withClaim("other", map[string]any{"a": 1}),
		"an id as long as may be":        withClaim("jti", strings.Repeat("i", 256)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(valid(t, deviate), expectation()); err != nil {
				t.Error(err)
			}
		})
	}
}

// One row a deviation; the claims are signed by the embedded key unless the row is
// about that.
func TestProofMatrix(t *testing.T) {
	k := made()
	private := asMap(t, map[string]any{"kty": "EC", "crv": "P-256"})
	for name, value := range public(t, k.p256) {
		private[name] = value
	}
	private["d"] = privateHalf(t, k.p256)
	onlyExpect := func(change func(*Expectation)) (func(*draft), func(*Expectation)) { return nil, change }
	type row struct {
		name, clause string
		deviate      func(*draft)
		expect       func(*Expectation)
		want         error
	}
	tests := []row{
		{"no typ", "§4.3 check 4", func(d *draft) { delete(d.header, "typ") }, nil, ErrMalformed},
		{"typ JWT", "§4.3 check 4", withHeader("typ", "JWT"), nil, ErrMalformed},
		{"typ of an access token", "§4.3 check 4", withHeader("typ", "at+jwt"), nil, ErrMalformed},
		{"typ that is no string", "§4.3 check 4", withHeader("typ", []string{Type}), nil, ErrMalformed},

		{"alg none", "§4.3 check 5", func(d *draft) { d.header["alg"], d.key = "none", nil }, nil, ErrMalformed},
		{"alg None", "§4.3 check 5", func(d *draft) { d.header["alg"], d.key = "None", nil }, nil, ErrMalformed},
		{"no alg", "§4.3 check 5", func(d *draft) { delete(d.header, "alg") }, nil, ErrMalformed},
		{"HS256", "§4.3 check 5", withHeader("alg", "HS256"), nil, ErrMalformed},
		{"RS512, which was not agreed", "§4.3 check 5", func(d *draft) {
			withKey(t, "RS512", k.rsa)(d)
		}, nil, ErrMalformed},
		{"ES256 with an RSA key", "RFC 8725 §3.1", withKey(t, "ES256", k.rsa), nil, ErrMalformed},
		{"RS256 with a P-256 key", "RFC 8725 §3.1", withKey(t, "RS256", k.p256), nil, ErrMalformed},
		{"ES256 with a P-384 key", "RFC 8725 §3.1", withKey(t, "ES256", k.p384), nil, ErrMalformed},
		{"ES384 with a P-256 key", "RFC 8725 §3.1", withKey(t, "ES384", k.p256), nil, ErrMalformed},
		{"EdDSA with a P-256 key", "RFC 8725 §3.1", withKey(t, "EdDSA", k.p256), nil, ErrMalformed},
		{"an RSA key of 1024 bits", "RFC 7518 §3.3", withKey(t, "RS256", k.weak), nil, ErrMalformed},
		{"an RSA key that is dear to verify with", "bounds", func(d *draft) {
			withKey(t, "RS256", k.rsa)(d)
			withJWK("n", strings.Repeat("_", 4104/6))(d)
		}, nil, ErrMalformed},

		{"no key", "§4.2", func(d *draft) { delete(d.header, "jwk") }, nil, ErrMalformed},
		{"a key that is null", "§4.2", withHeader("jwk", nil), nil, ErrMalformed},
		{"a key that is text", "§4.2", withHeader("jwk", "key"), nil, ErrMalformed},
		{"a private key", "§4.3 check 7", withHeader("jwk", private), nil, ErrMalformed},
		{"a private member of another kind of key", "§4.3 check 7", withJWK("k", "AAAA"), nil, ErrMalformed},
		{"a symmetric key", "§4.2", withHeader("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}), nil, ErrMalformed},
		{"a key for encryption", "RFC 7517 §4.2", withJWK("use", "enc"), nil, ErrMalformed},
		{"a key that only signs", "RFC 7517 §4.3", withJWK("key_ops", []string{"sign"}), nil, ErrMalformed},
		{"key operations that are no list", "RFC 7517 §4.3", withJWK("key_ops", "verify"), nil, ErrMalformed},
		{"a key for another algorithm", "RFC 7517 §4.4", withJWK("alg", "ES384"), nil, ErrMalformed},
		{"a point that is not on the curve", "RFC 8725 §3.4", withJWK("x", strings.Repeat("A", 43)), nil, ErrMalformed},
		{"a short coordinate", "RFC 7518 §6.2.1", withJWK("x", "AAAA"), nil, ErrMalformed},
		{"a jku header", "RFC 8725 §3.10", withHeader("jku", "https://evil.example/keys"), nil, ErrMalformed},
		{"an x5u header", "RFC 8725 §3.10", withHeader("x5u", "https://evil.example/cert"), nil, ErrMalformed},
		{"an empty x5c header", "RFC 8725 §3.10", withHeader("x5c", []string{}), nil, ErrMalformed},
		{"a crit header", "RFC 7515 §4.1.11", func(d *draft) { d.header["crit"], d.header["exp"] = []string{"exp"}, 1 }, nil, ErrMalformed},
		{"an unencoded payload", "RFC 7797 §3", withHeader("b64", false), nil, ErrMalformed},

		{"no signature", "§4.3 check 6", func(d *draft) { d.key = nil }, nil, ErrSignature},
		{"signed by another key than the embedded one", "§4.3 check 6", func(d *draft) { d.key = k.other }, nil, ErrSignature},
		{"another payload", "§4.3 check 6", func(d *draft) {
			d.then = func(text string) string {
				parts := strings.Split(text, ".")
				return parts[0] + "." + part(t, map[string]any{"jti": "x", "htm": "POST", "htu": target, "iat": now.Unix()}) + "." + parts[2]
			}
		}, nil, ErrSignature},
		{"a signature that is too long", "RFC 7518 §3.4", func(d *draft) { d.then = func(s string) string { return s + "AAAA" } }, nil, ErrSignature},

		{"no jti", "§4.3 check 3", func(d *draft) { delete(d.claims, "jti") }, nil, ErrMalformed},
		{"an empty jti", "§4.2", withClaim("jti", ""), nil, ErrMalformed},
		{"a jti of 257 bytes", "bounds", withClaim("jti", strings.Repeat("i", 257)), nil, ErrMalformed},
		{"a jti that is a number", "RFC 7519 §4.1.7", withClaim("jti", 1), nil, ErrMalformed},
		{"no htm", "§4.3 check 3", func(d *draft) { delete(d.claims, "htm") }, nil, ErrMalformed},
		{"no htu", "§4.3 check 3", func(d *draft) { delete(d.claims, "htu") }, nil, ErrMalformed},
		{"no iat", "§4.3 check 3", func(d *draft) { delete(d.claims, "iat") }, nil, ErrMalformed},
		{"iat of null", "§4.3 check 3", withClaim("iat", nil), nil, ErrMalformed},
		{"iat as text", "RFC 7519 §2", withClaim("iat", "1562262616"), nil, ErrMalformed},
		{"iat beyond numbers", "RFC 7519 §2", withClaim("iat", 1e300), nil, ErrMalformed},
		{"names in another case", "RFC 7519 §4", func(d *draft) {
			delete(d.claims, "htm")
			d.claims["HTM"] = "POST"
		}, nil, ErrMalformed},
		{"an empty nonce", "§8", withClaim("nonce", ""), nil, ErrMalformed},
		{"a nonce of 257 bytes", "bounds", withClaim("nonce", strings.Repeat("n", 257)), nil, ErrMalformed},
		{"an ath that is a number", "§4.2", withClaim("ath", 1), nil, ErrMalformed},

		{"another method", "§4.3 check 8", withClaim("htm", "GET"), nil, ErrMismatch},
		{"the method in another case", "§4.3 check 8", withClaim("htm", "post"), nil, ErrMismatch},
		{"another path", "§4.3 check 9", withClaim("htu", target+"/"), nil, ErrMismatch},
		{"the path in another case", "§4.3 check 9", withClaim("htu", "https://mcp.example.com/TODO"), nil, ErrMismatch},
		{"a path that an encoded slash makes", "§4.3 check 9", withClaim("htu", "https://mcp.example.com%2Ftodo"), nil, ErrMismatch},
		{"another host", "§4.3 check 9", withClaim("htu", "https://evil.example/todo"), nil, ErrMismatch},
		{"another port", "§4.3 check 9", withClaim("htu", "https://mcp.example.com:8443/todo"), nil, ErrMismatch},
		{"the port of http", "§4.3 check 9", withClaim("htu", "https://mcp.example.com:80/todo"), nil, ErrMismatch},
		{"another scheme", "§4.3 check 9", withClaim("htu", "http://mcp.example.com/todo"), nil, ErrMismatch},
		{"user information", "§4.3 check 9", withClaim("htu", "https://a@mcp.example.com/todo"), nil, ErrMismatch},
		{"a relative URL", "§4.3 check 9", withClaim("htu", "/todo"), nil, ErrMismatch},
		{"no URL", "§4.3 check 9", withClaim("htu", ":"), nil, ErrMismatch},

		{"too old", "§4.3 check 11", withClaim("iat", now.Add(-61*time.Second).Unix()), nil, ErrTime},
		{"from the future", "§4.3 check 11", withClaim("iat", now.Add(31*time.Second).Unix()), nil, ErrTime},
		{"from before all clocks", "§4.3 check 11", withClaim("iat", -1e12), nil, ErrTime},
		{"too old for a short window", "§4.3 check 11", withClaim("iat", now.Add(-11*time.Second).Unix()), func(e *Expectation) { e.Window = 10 * time.Second }, ErrTime},

		{"no ath beside a token", "§4.3 check 12", nil, func(e *Expectation) { e.AccessToken = secret }, ErrMismatch},
		{"the ath of another token", "§4.3 check 12", withClaim("ath", hashOf("other")), func(e *Expectation) { e.AccessToken = secret }, ErrMismatch},
		{"the token itself for its hash", "§4.3 check 12", withClaim("ath", secret), func(e *Expectation) { e.AccessToken = secret }, ErrMismatch},
		{"another key than the token's", "§4.3 check 12", nil, func(e *Expectation) { e.KeyThumbprint = thumbprintOf(t, k.other) }, ErrMismatch},

		{"no nonce where one is needed", "§8", nil, func(e *Expectation) { e.RequireNonce, e.Nonce = true, is("n") }, ErrNonce},
		{"a nonce of another", "§8", withClaim("nonce", "x"), func(e *Expectation) { e.Nonce = is("n") }, ErrNonce},
		{"a nonce that nobody can know", "§8", withClaim("nonce", "x"), func(e *Expectation) { e.RequireNonce = true }, ErrNonce},
		{"no nonce, and too old", "§8", withClaim("iat", now.Add(-time.Hour).Unix()), func(e *Expectation) { e.Nonce = is("n") }, ErrTime},
	}
	for name, change := range map[string]func(*Expectation){
		"no method": func(e *Expectation) { e.Method = "" }, "no URL": func(e *Expectation) { e.URL = "" },
	} {
		deviate, expect := onlyExpect(change)
		tests = append(tests, row{"a caller who expects " + name, "fails closed", deviate, expect, ErrMismatch})
	}
	tests = append(tests, row{"a caller without a clock", "fails closed", nil, func(e *Expectation) { e.Now = time.Time{} }, ErrTime})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := expectation()
			if tt.expect != nil {
				tt.expect(&e)
			}
			proof, err := Verify(valid(t, tt.deviate), e)
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrInvalid) || proof != nil {
				t.Fatalf("%s: got %v, %v; want %v", tt.clause, proof, err, tt.want)
			}
			if strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "id-1") {
				t.Errorf("the error quotes the proof: %v", err)
			}
		})
	}
}

func is(want string) func(string) bool { return func(nonce string) bool { return nonce == want } }

func TestAMemberThatIsThereTwiceIsRefusedEverywhere(t *testing.T) {
	jwk := string(mustJSON(t, public(t, made().p256)))
	claims := `"jti":"id-1","htm":"POST","htu":"` + target + `","iat":` + string(mustJSON(t, now.Unix()))
	for name, parts := range map[string][2]string{
		"in the header":         {`{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `{` + claims + `}`},
		"in the key":            {`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kid":"a","kid":"b",` + jwk[1:] + `}`, `{` + claims + `}`},
		"the key itself":        {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `,"jwk":` + jwk + `}`, `{` + claims + `}`},
		"in the claims":         {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `{"htm":"GET",` + claims + `}`},
		"spelled with escapes":  {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `{"ht\u006d":"GET",` + claims + `}`},
		"text behind the claim": {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `{` + claims + `} {}`},
		"claims in an array":    {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `[{` + claims + `}]`},
		"claims cut short":      {`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`, `{` + claims},
	} {
		text := part(t, parts[0]) + "." + part(t, parts[1])
		text += "." + base64.RawURLEncoding.EncodeToString(signature(t, made().p256, "ES256", text))
		if proof, err := Verify(text, expectation()); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, %v", name, proof, err)
		}
	}
}

func TestTextThatIsNoCompactJWSIsMalformed(t *testing.T) {
	good := valid(t, nil)
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"nothing": "", "a word": "proof", "dots": "..", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x",
		"padding": parts[0] + "=." + parts[1] + "." + parts[2], "a space before it": " " + good,
		"a line break within it": good[:5] + "\n" + good[5:], "a line break behind it": good + "\n",
		"an endless one":           strings.Repeat("a", MaxSize+1),
		"a good one, but too long": valid(t, withClaim("more", strings.Repeat("m", MaxSize))),
	} {
		if proof, err := Verify(raw, expectation()); !errors.Is(err, ErrMalformed) || proof != nil {
			t.Errorf("%s: got %v, %v", name, proof, err)
		}
	}
}

func TestWithAValidNonceTheClientsClockDoesNotMatter(t *testing.T) {
	e := expectation()
	e.Nonce, e.RequireNonce = is("n"), true
	for _, iat := range []int64{0, 1, now.Add(24 * time.Hour).Unix()} {
		proof, err := Verify(valid(t, func(d *draft) { d.claims["iat"], d.claims["nonce"] = iat, "n" }), e)
		if err != nil || proof.Nonce != "n" {
			t.Errorf("iat %d: got %+v, %v", iat, proof, err)
		}
	}
}

func TestAProofForATokenAndItsKey(t *testing.T) {
	e := expectation()
	e.AccessToken, e.KeyThumbprint = secret, thumbprintOf(t, made().p256)
	proof, err := Verify(valid(t, withClaim("ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo")), e)
	if err != nil {
		t.Fatal(err)
	}
	want := Proof{Thumbprint: e.KeyThumbprint, ID: "id-1", IssuedAt: now}
	if diff := cmp.Diff(want, *proof); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheURLMayBeSpelledInMoreThanOneWay(t *testing.T) {
	for _, same := range [][2]string{
		{"https://h", "https://h/"}, {"https://h:/a", "https://h/a"}, {"http://h:80/", "http://h"},
		{"https://[::1]:443/a", "https://[::1]/a"}, {"https://h/%7ea%2fb", "https://h/~a%2Fb"}, {"https://h/a?x", "https://h/a#y"},
		{"https://h/a%", "https://h/a%"},
	} {
		if same[0] != "https://h/a%" && !sameTarget(same[0], same[1]) {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	for _, other := range [][2]string{
		{"https://h/a%2Fb", "https://h/a/b"}, {"https://h:80", "https://h"}, {"http://h:443", "http://h"}, {"https://h/a/../b", "https://h/b"},
		{"https://h//a", "https://h/a"}, {"ftp://h/", "ftp://h/"}, {"", ""}, {"https:h", "https:h"}, {"https://", "https://"},
		{"https://h/a%", "https://h/a%"}, {"https://u:p@h/", "https://u:p@h/"},
	} {
		if sameTarget(other[0], other[1]) {
			t.Errorf("%s and %s are taken for the same", other[0], other[1])
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(exampleAtToken)
	f.Add(exampleBeside)
	f.Add(valid(f, nil))
	f.Add(valid(f, withKey(f, "EdDSA", made().edwards)))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		e := Expectation{Method: "POST", URL: "https://server.example.com/token", Now: time.Unix(1562262616, 0)}
		proof, err := Verify(raw, e)
		switch {
		case err == nil && (proof.Thumbprint != exampleJKT || proof.ID != "-BwC3ESc6acc2lTc"):
			t.Errorf("%q was accepted and says %+v, which nobody signed", raw, proof)
		case err != nil && (proof != nil || !errors.Is(err, ErrInvalid)):
			t.Errorf("%q: got %v, %v", raw, proof, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := made()
	for name, deviate := range map[string]func(*draft){
		"ES256": nil, "RS256": withKey(b, "RS256", k.rsa), "EdDSA": withKey(b, "EdDSA", k.edwards),
	} {
		raw := valid(b, deviate)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Verify(raw, expectation()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// privateHalf is the "d" of a key (RFC 7518 §6.2.2.1).
func privateHalf(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(d)
}
