package oauth

import (
	"strings"
	"testing"
)

// The vector of RFC 7636 appendix B.
const (
	appendixBVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	appendixBChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestTheVectorOfRFC7636HoldsAndNothingNearIt(t *testing.T) {
	if got := CodeChallenge(appendixBVerifier); got != appendixBChallenge {
		t.Errorf("CodeChallenge = %q, want %q", got, appendixBChallenge)
	}
	if !VerifyCodeChallenge(appendixBChallenge, appendixBVerifier) {
		t.Error("VerifyCodeChallenge refuses the vector")
	}
}

func TestAttack14_PKCEIsNeverSkippedNorPlain(t *testing.T) {
	short, long := strings.Repeat("a", 42), strings.Repeat("a", 129)
	tests := []struct{ name, challenge, verifier string }{
		{"another verifier", appendixBChallenge, strings.Repeat("a", 43)},
		{"the verifier in another case", appendixBChallenge, strings.ToUpper(appendixBVerifier)},
		{"no verifier", appendixBChallenge, ""},
		{"a verifier without a challenge", "", appendixBVerifier},
		{"neither of them", "", ""},
		{"plain: the challenge itself", appendixBChallenge, appendixBChallenge},
		{"plain: the verifier as challenge", appendixBVerifier, appendixBVerifier},
		{"a verifier too short, rightly hashed", CodeChallenge(short), short},
		{"a verifier too long, rightly hashed", CodeChallenge(long), long},
		{"a forbidden character, rightly hashed", CodeChallenge(short + "+"), short + "+"},
		{"a padded challenge", appendixBChallenge + "=", appendixBVerifier},
	}
	for _, tt := range tests {
		if VerifyCodeChallenge(tt.challenge, tt.verifier) {
			t.Errorf("%s: accepted", tt.name)
		}
	}
}

func TestVerifiersHaveTheLengthAndCharactersOfRFC7636(t *testing.T) {
	for _, s := range []string{strings.Repeat("a", 43), strings.Repeat("~", 128), strings.Repeat("aZ09-._~", 8)} {
		if err := ValidCodeVerifier(s); err != nil {
			t.Errorf("ValidCodeVerifier(%q): %v", s, err)
		}
	}
	base := strings.Repeat("a", 50)
	for _, s := range []string{"", strings.Repeat("a", 42), strings.Repeat("a", 129), base + " ", base + "=", base + "/", base + "+", base + "ä", base + "\n"} {
		if ValidCodeVerifier(s) == nil {
			t.Errorf("ValidCodeVerifier(%q) accepts it", s)
		}
	}
}

func TestAChallengeIsAnUnpaddedBase64URLSHA256(t *testing.T) {
	if err := ValidCodeChallenge(appendixBChallenge); err != nil {
		t.Errorf("the vector: %v", err)
	}
	for _, s := range []string{
		"", appendixBChallenge[:42], appendixBChallenge + "=", appendixBChallenge[:42] + "=", appendixBChallenge[:42] + "+",
		appendixBChallenge[:42] + "/", appendixBChallenge[:42] + "\n", appendixBChallenge[:42] + "N", // bits behind the 256th
	} {
		if ValidCodeChallenge(s) == nil {
			t.Errorf("ValidCodeChallenge(%q) accepts it", s)
		}
	}
}
