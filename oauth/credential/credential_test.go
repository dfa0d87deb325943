package credential

import (
	"strings"
	"testing"
)

func TestASecretMatchesItsHashAndNothingElseDoes(t *testing.T) {
	secret := NewSecret()
	hash := HashOf(secret)
	if !hash.Matches(secret) {
		t.Error("a secret does not match its own hash")
	}
	for name, guess := range map[string]string{
		"nothing": "", "another secret": NewSecret(), "its beginning": secret[:len(secret)-1], "more": secret + "a",
		"another case": strings.ToUpper(secret), "the hash itself": hash.String(),
	} {
		if hash.Matches(guess) {
			t.Errorf("%s matches", name)
		}
	}
}

func TestTheZeroHashMatchesNothing(t *testing.T) {
	for _, guess := range []string{"", "a", strings.Repeat("\x00", 32)} {
		if (Hash{}).Matches(guess) {
			t.Errorf("%q matches", guess)
		}
	}
	if (Hash{}).String() != "" {
		t.Errorf("it is written %q", Hash{}.String())
	}
}

func TestAHashIsReadAsItWasWritten(t *testing.T) {
	const known = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" // of "secret"
	if got := HashOf("secret").String(); got != known {
		t.Errorf("HashOf(\"secret\") = %s, want %s", got, known)
	}
	hash, err := ParseHash(known)
	if err != nil || hash != HashOf("secret") || !hash.Matches("secret") {
		t.Errorf("ParseHash: got %v, %v", hash, err)
	}
}

func TestWhatIsNoHashIsRefused(t *testing.T) {
	digits := strings.Repeat("ab", 32)
	for _, text := range []string{"", "sha256:", digits, "sha256:" + digits[2:], "sha256:" + digits + "ab", "sha256:" + digits[1:] + "g",
		"SHA256:" + digits, "sha512:" + digits, " sha256:" + digits, "sha256:" + digits + "\n"} {
		if hash, err := ParseHash(text); err == nil || hash.Matches("") {
			t.Errorf("ParseHash(%q) = %v, want an error", text, hash)
		}
	}
}

func TestSecretsAreLongRandomAndFitAFormWithoutEncoding(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret := NewSecret()
		if seen[secret] || len(secret) < MinSecretLength {
			t.Fatalf("%q came twice or is short", secret)
		}
		seen[secret] = true
		if rest := strings.Trim(secret, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"); rest != "" {
			t.Errorf("%q holds %q", secret, rest)
		}
	}
	if got := len(Random(32)); got != 43 {
		t.Errorf("Random(32) has %d characters, want 43", got)
	}
}
