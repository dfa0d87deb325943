package assertion

import (
	"context"
	"crypto"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestAssertionsThatMustBeAccepted(t *testing.T) {
	for _, test := range []struct {
		name    string
		kind    Kind
		deviate func(*token)
	}{
		{"a client's", ClientAuthentication, nil},
		{"a client's of type JWT", ClientAuthentication, withHeader("typ", "JWT")},
		{"a client's of type jwt in full", ClientAuthentication, withHeader("typ", "application/jwt")},
		{"a client's of its own type", ClientAuthentication, withHeader("typ", "client-authentication+jwt")},
		{"an ID-JAG", IdentityGrant, nil},
		{"a workload's", Workload, nil},
		{"a workload's without a type", Workload, withoutHeader("typ")},
		{"a workload's of SPIFFE's other type", Workload, withHeader("typ", "JOSE")},
		{"a workload's without jti", Workload, withoutClaim("jti")},
		{"a workload's that lives for a day", Workload, withClaim("exp", now.Add(24*time.Hour).Unix())},

		{"PS256", ClientAuthentication, signed("PS256", "rsa", signPS256)},
		{"RS384", ClientAuthentication, signed("RS384", "rsa", signRSA(rsaKey(), crypto.SHA384))},
		{"RS512", ClientAuthentication, signed("RS512", "rsa", signRSA(rsaKey(), crypto.SHA512))},
		{"ES256", ClientAuthentication, signed("ES256", "ec", signES256)},
		{"EdDSA", ClientAuthentication, signed("EdDSA", "ed", signEdDSA)},
		{"no kid (RFC 7515 §4.1.4)", ClientAuthentication, withoutHeader("kid")},
		{"ES256 without kid", ClientAuthentication, signed("ES256", "", signES256)},
		{"a thumbprint of a certificate", ClientAuthentication, withHeader("x5t", "AAAA")},
		{"a header that we do not know", ClientAuthentication, withHeader("foo", "bar")},

		{"aud as an array", ClientAuthentication, withClaim("aud", []string{us})},
		{"aud with others beside us", ClientAuthentication, withClaim("aud", []string{"https://other.example", us})},
		{"the token endpoint as aud", ClientAuthentication, withClaim("aud", us+"/oauth/token")},
		{"no iat", ClientAuthentication, withoutClaim("iat")},
		{"expired within the skew", ClientAuthentication, withClaim("exp", now.Add(-29*time.Second).Unix())},
		{"exp in fractions", ClientAuthentication, withClaim("exp", float64(now.Add(time.Minute).Unix())+0.5)},
		{"issued by a clock that is fast", ClientAuthentication, withClaim("iat", now.Add(30*time.Second).Unix())},
		{"nbf within the skew", ClientAuthentication, withClaim("nbf", now.Add(30*time.Second).Unix())},
		{"an hour's life", ClientAuthentication, withClaim("exp", now.Add(time.Hour+30*time.Second).Unix())},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Verify(t.Context(), valid(t, test.kind, test.deviate), keySet(t), expect(test.kind)); err != nil {
				t.Error(err)
			}
		})
	}
}

// One row a deviation; each is signed by the issuer's own key unless the row is
// about that.
func TestAttack18_AssertionsThatMustBeRefused(t *testing.T) {
	public := map[string]any{"kty": "RSA"}
	duplicate := func(name string) func(*token) {
		return func(tok *token) {
			tok.rawClaims = `{"iss":"` + client + `",` + name + `,"sub":"` + client + `","aud":"` + us + `","jti":"j","exp":1800000300}`
		}
	}
	for _, test := range []struct {
		name, clause string
		kind         Kind
		deviate      func(*token)
		want         error
	}{
		{"alg none", "RFC 8725 §3.1", ClientAuthentication, unsigned("none"), ErrMalformed},
		{"alg nOnE", "RFC 8725 §3.1", ClientAuthentication, unsigned("nOnE"), ErrMalformed},
		{"alg none, signed", "RFC 8725 §3.1", ClientAuthentication, withHeader("alg", "none"), ErrMalformed},
		{"alg empty", "RFC 8725 §3.1", ClientAuthentication, unsigned(""), ErrMalformed},
		{"no alg", "RFC 7515 §4.1.1", ClientAuthentication, withoutHeader("alg"), ErrMalformed},
		{"alg that is no string", "RFC 7515 §4.1.1", ClientAuthentication, withHeader("alg", []string{"RS256"}), ErrMalformed},
		{"HS256 with the public key", "RFC 8725 §2.1", ClientAuthentication, hmacWith(t, publicDER), ErrMalformed},
		{"HS256 with nothing", "RFC 8725 §2.1", ClientAuthentication, hmacWith(t, func() []byte { return nil }), ErrMalformed},
		{"RSA1_5", "RFC 8725 §3.2", ClientAuthentication, withHeader("alg", "RSA1_5"), ErrMalformed},
		{"an algorithm that is not the key's", "RFC 8725 §3.1", ClientAuthentication, signed("PS256", "rs256-only", signPS256), ErrKey},
		{"an algorithm of another key type", "RFC 8725 §3.1", ClientAuthentication, signed("ES256", "rsa", signES256), ErrKey},
		{"an algorithm of another curve", "RFC 7518 §3.4", ClientAuthentication, signed("ES384", "ec", signES256), ErrKey},
		{"ES512 without kid, where there is no such key", "RFC 7518 §3.4", ClientAuthentication, signed("ES512", "", signES256), ErrKey},

		{"a jwk header", "RFC 8725 §3.10", ClientAuthentication, withHeader("jwk", public), ErrMalformed},
		{"a jku header", "RFC 8725 §3.10", ClientAuthentication, withHeader("jku", "https://evil.example/keys"), ErrMalformed},
		{"an x5u header", "RFC 8725 §3.10", ClientAuthentication, withHeader("x5u", "https://evil.example/cert"), ErrMalformed},
		{"an x5c header", "RFC 8725 §3.10", ClientAuthentication, withHeader("x5c", []string{"AAAA"}), ErrMalformed},
		{"an empty x5c header", "RFC 8725 §3.10", ClientAuthentication, withHeader("x5c", nil), ErrMalformed},
		{"a crit header", "RFC 7515 §4.1.11", ClientAuthentication, withHeader("crit", []string{"exp"}), ErrMalformed},
		{"an unencoded payload", "RFC 7797 §3", ClientAuthentication, withHeader("b64", false), ErrMalformed},
		{"a compressed payload", "RFC 7516 §4.1.3", ClientAuthentication, withHeader("zip", "DEF"), ErrMalformed},

		{"a client's typed as an access token", "RFC 8725 §3.11", ClientAuthentication, withHeader("typ", "at+jwt"), ErrType},
		{"a client's typed as an ID-JAG", "RFC 8725 §3.11", ClientAuthentication, withHeader("typ", IdentityType), ErrType},
		{"a client's typed as a DPoP proof", "RFC 9449 §4.2", ClientAuthentication, withHeader("typ", "dpop+jwt"), ErrType},
		{"a client's with an empty typ", "RFC 8725 §3.11", ClientAuthentication, withHeader("typ", ""), ErrType},
		{"typ that is no string", "RFC 7515 §4.1.9", ClientAuthentication, withHeader("typ", 1), ErrType},
		{"typ of null", "RFC 7515 §4.1.9", ClientAuthentication, withHeader("typ", nil), ErrType},
		{"an ID-JAG without typ", "ID-JAG §3", IdentityGrant, withoutHeader("typ"), ErrType},
		{"an ID-JAG typed as JWT", "ID-JAG §3", IdentityGrant, withHeader("typ", "JWT"), ErrType},
		{"an ID-JAG in another case", "ID-JAG §3", IdentityGrant, withHeader("typ", "OAuth-ID-JAG+jwt"), ErrType},
		{"an ID-JAG in full", "ID-JAG §3", IdentityGrant, withHeader("typ", "application/"+IdentityType), ErrType},
		{"an ID-JAG typed as a client's", "RFC 8725 §3.11", IdentityGrant, withHeader("typ", clientType), ErrType},
		{"a workload's typed as an access token", "RFC 9068 §2.1", Workload, withHeader("typ", "at+jwt"), ErrType},
		{"a workload's typed as a DPoP proof", "RFC 9449 §4.2", Workload, withHeader("typ", "dpop+jwt"), ErrType},
		{"a workload's typed as a logout token", "RFC 8725 §3.11", Workload, withHeader("typ", "logout+jwt"), ErrType},
		{"a workload's typed as a security event", "RFC 8417 §2.3", Workload, withHeader("typ", "secevent+jwt"), ErrType},
		{"a workload's typed as an ID-JAG", "RFC 8725 §3.11", Workload, withHeader("typ", IdentityType), ErrType},
		{"a workload's typed as a client's", "RFC 8725 §3.11", Workload, withHeader("typ", clientType), ErrType},
		{"a kind that is none", "RFC 8725 §3.11", Kind(0), nil, ErrType},

		{"a foreign kid", "RFC 7515 §4.1.4", ClientAuthentication, withHeader("kid", "other"), ErrKey},
		{"an empty kid", "RFC 7515 §4.1.4", ClientAuthentication, withHeader("kid", ""), ErrMalformed},
		{"a kid of 5,000 bytes", "RFC 7515 §4.1.4", ClientAuthentication, withHeader("kid", strings.Repeat("k", 5000)), ErrKey},
		{"a kid that is no string", "RFC 7515 §4.1.4", ClientAuthentication, withHeader("kid", 1), ErrMalformed},
		{"another's kid", "RFC 7515 §4.1.4", ClientAuthentication, withHeader("kid", "ed"), ErrKey},
		{"no signature", "RFC 7515 §5.2", ClientAuthentication, func(tok *token) { tok.sign = nil }, ErrSignature},
		{"no signature, without kid", "RFC 7515 §5.2", ClientAuthentication, func(tok *token) { tok.sign = nil; delete(tok.header, "kid") }, ErrSignature},
		{"a changed header", "RFC 7515 §5.2", ClientAuthentication, replaced(0, `{"alg":"RS256","kid":"rsa","foo":1}`), ErrSignature},
		{"changed claims", "RFC 7515 §5.2", ClientAuthentication, replaced(1, `{"iss":"`+client+`","sub":"`+client+`"}`), ErrSignature},
		{"the header of another algorithm", "RFC 8725 §3.1", ClientAuthentication, replaced(0, `{"alg":"RS512","kid":"rsa"}`), ErrSignature},
		{"a changed signature", "RFC 7515 §5.2", ClientAuthentication, changed(2), ErrSignature},
		{"a signature of nothing but zeros", "RFC 7515 §5.2", ClientAuthentication, signed("ES256", "ec", func([]byte) []byte { return make([]byte, 64) }), ErrSignature},

		{"iss twice", "RFC 7519 §4", ClientAuthentication, duplicate(`"iss":"` + client + `"`), ErrMalformed},
		{"iss twice, once escaped", "RFC 7519 §4", ClientAuthentication, duplicate(`"\u0069ss":"` + client + `"`), ErrMalformed},
		{"a member twice, deep inside", "RFC 7519 §4", ClientAuthentication, duplicate(`"x":[{"a":1,"a":1}]`), ErrMalformed},
		{"a header twice", "RFC 7515 §4", ClientAuthentication, func(tok *token) { tok.rawHeader = `{"alg":"RS256","alg":"RS256"}` }, ErrMalformed},
		{"claims that are an array", "RFC 7519 §7.2", ClientAuthentication, func(tok *token) { tok.rawClaims = `["iss"]` }, ErrMalformed},
		{"claims that are text", "RFC 7519 §7.2", ClientAuthentication, func(tok *token) { tok.rawClaims = `"iss"` }, ErrMalformed},
		{"two objects", "RFC 7519 §7.2", ClientAuthentication, func(tok *token) { tok.rawClaims = `{} {}` }, ErrMalformed},
		{"claims that are not UTF-8", "RFC 7519 §7.2", ClientAuthentication, duplicate("\"x\":\"\xff\""), ErrMalformed},
		{"deep claims", "RFC 8725 §2.4", ClientAuthentication, duplicate(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), ErrMalformed},
		{"a line break", "RFC 7515 §2", ClientAuthentication, func(tok *token) { tok.then = func(s string) string { return s[:9] + "\n" + s[9:] } }, ErrMalformed},
		{"padding", "RFC 7515 §2", ClientAuthentication, func(tok *token) { tok.then = func(s string) string { return s + "=" } }, ErrMalformed},
		{"a fourth part", "RFC 7515 §7.1", ClientAuthentication, func(tok *token) { tok.then = func(s string) string { return s + ".x" } }, ErrMalformed},
		{"more than 16 KiB", "RFC 8725 §2.4", ClientAuthentication, withClaim("x", strings.Repeat("x", MaxLength)), ErrMalformed},

		{"another issuer", "RFC 7523 §3 1", ClientAuthentication, withClaim("iss", "https://evil.example"), ErrIssuer},
		{"the issuer with a slash", "RFC 7523 §3 1", IdentityGrant, withClaim("iss", them+"/"), ErrIssuer},
		{"the issuer in another case", "RFC 7523 §3 1", IdentityGrant, withClaim("iss", strings.ToUpper(them)), ErrIssuer},
		{"ISS in capitals", "RFC 7519 §4", ClientAuthentication, func(tok *token) { tok.claims["ISS"] = tok.claims["iss"]; delete(tok.claims, "iss") }, ErrClaims},
		{"no iss", "RFC 7523 §3 1", ClientAuthentication, withoutClaim("iss"), ErrClaims},
		{"iss that is no string", "RFC 7519 §4.1.1", ClientAuthentication, withClaim("iss", []string{client}), ErrClaims},
		{"another subject", "RFC 7523 §3 2.B", ClientAuthentication, withClaim("sub", "https://other.example/x"), ErrSubject},
		{"no sub", "RFC 7523 §3 2", ClientAuthentication, withoutClaim("sub"), ErrClaims},
		{"an empty sub", "RFC 7523 §3 2", Workload, withClaim("sub", ""), ErrClaims},

		{"another audience", "RFC 7523 §3 3", ClientAuthentication, withClaim("aud", "https://other.example"), ErrAudience},
		{"our audience with a slash", "RFC 7523 §3 3", ClientAuthentication, withClaim("aud", us+"/"), ErrAudience},
		{"a prefix of our audience", "RFC 7523 §3 3", ClientAuthentication, withClaim("aud", "https://auth"), ErrAudience},
		{"no audience", "RFC 7523 §3 3", ClientAuthentication, withoutClaim("aud"), ErrClaims},
		{"an empty audience", "RFC 7523 §3 3", ClientAuthentication, withClaim("aud", ""), ErrClaims},
		{"an empty list of audiences", "RFC 7523 §3 3", ClientAuthentication, withClaim("aud", []string{}), ErrClaims},
		{"an audience with something else", "RFC 7519 §4.1.3", ClientAuthentication, withClaim("aud", []any{us, 1}), ErrClaims},
		{"an audience that is an object", "RFC 7519 §4.1.3", ClientAuthentication, withClaim("aud", map[string]any{us: true}), ErrClaims},

		{"expired", "RFC 7523 §3 4", ClientAuthentication, withClaim("exp", now.Add(-30*time.Second).Unix()), ErrExpired},
		{"no exp", "RFC 7523 §3 4", ClientAuthentication, withoutClaim("exp"), ErrClaims},
		{"an exp of null", "RFC 7523 §3 4", ClientAuthentication, withClaim("exp", nil), ErrClaims},
		{"an exp as text", "RFC 7519 §2", ClientAuthentication, withClaim("exp", "1800000300"), ErrClaims},
		{"an exp beyond time", "RFC 7519 §2", ClientAuthentication, withClaim("exp", math.MaxFloat64), ErrClaims},
		{"a negative exp", "RFC 7519 §2", ClientAuthentication, withClaim("exp", -1), ErrClaims},
		{"a client's for more than an hour", "RFC 7523 §3 4", ClientAuthentication, withClaim("exp", now.Add(time.Hour+31*time.Second).Unix()), ErrLifetime},
		{"an ID-JAG for more than an hour", "RFC 7523 §3 4", IdentityGrant, withClaim("exp", now.Add(2*time.Hour).Unix()), ErrLifetime},
		{"a workload's for more than 25 hours", "RFC 7523 §3 4", Workload, withClaim("exp", now.Add(26*time.Hour).Unix()), ErrLifetime},
		{"nbf in the future", "RFC 7523 §3 5", ClientAuthentication, withClaim("nbf", now.Add(31*time.Second).Unix()), ErrNotYet},
		{"nbf as text", "RFC 7519 §2", ClientAuthentication, withClaim("nbf", "1"), ErrClaims},
		{"issued in the future", "RFC 7523 §3 6", ClientAuthentication, withClaim("iat", now.Add(31*time.Second).Unix()), ErrNotYet},
		{"an iat of null", "RFC 7519 §2", ClientAuthentication, withClaim("iat", nil), ErrClaims},
		{"a client's without jti", "RFC 7523 §3 7", ClientAuthentication, withoutClaim("jti"), ErrClaims},
		{"an ID-JAG without jti", "ID-JAG §3", IdentityGrant, withoutClaim("jti"), ErrClaims},
		{"an empty jti", "RFC 7519 §4.1.7", ClientAuthentication, withClaim("jti", ""), ErrClaims},
		{"a jti that is no string", "RFC 7519 §4.1.7", Workload, withClaim("jti", 7), ErrClaims},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Verify(t.Context(), valid(t, test.kind, test.deviate), keySet(t), expect(test.kind))
			if got != nil || !errors.Is(err, test.want) || !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: got %v, %v, want %v", test.clause, got, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "example") {
				t.Errorf("the error quotes the assertion: %v", err)
			}
		})
	}
}

func TestASoleAudienceIsOneAudience(t *testing.T) {
	strict := expect(ClientAuthentication)
	strict.Audiences, strict.SoleAudience = []string{us}, true
	for _, test := range []struct {
		aud  any
		want error
	}{
		{us, nil}, {[]string{us}, nil}, {[]string{us, "https://other.example"}, ErrAudience}, {[]string{us, us}, ErrAudience},
		{us + "/oauth/token", ErrAudience},
	} {
		if _, err := Verify(t.Context(), valid(t, ClientAuthentication, withClaim("aud", test.aud)), keySet(t), strict); !errors.Is(err, test.want) {
			t.Errorf("%v: %v, want %v", test.aud, err, test.want)
		}
	}
}

func TestNothingExpectedIsNothingAccepted(t *testing.T) {
	for name, change := range map[string]func(*Expectation){
		"no issuer":    func(e *Expectation) { e.Issuer = "" },
		"no audiences": func(e *Expectation) { e.Audiences = nil },
		"no kind":      func(e *Expectation) { e.Kind = 0 },
	} {
		e := expect(ClientAuthentication)
		change(&e)
		if _, err := Verify(t.Context(), valid(t, ClientAuthentication, nil), keySet(t), e); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// away are keys whose host does not answer.
type away struct{}

func (away) Candidates(context.Context, string, string) ([]jose.JSONWebKey, error) {
	return nil, ErrKeysUnavailable
}

func TestMissingKeysAreNoVerdict(t *testing.T) {
	if _, err := Verify(t.Context(), valid(t, ClientAuthentication, nil), away{}, expect(ClientAuthentication)); !errors.Is(err, ErrKeysUnavailable) || errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
