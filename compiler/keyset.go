package compiler

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/jwks"
)

// checkKeySet says why text is no set of public keys (RFC 7517 §5), in words that
// fit behind "jwks". They never quote a key.
func checkKeySet(text string) error {
	var document struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		return errors.New("is not a JSON object with an array of keys")
	}
	for _, key := range document.Keys {
		if isSecret(key) {
			return errors.New("holds a private or symmetric key, which everybody who may read this object now knows: make a new one, and put its public half here")
		}
	}
	if _, err := jwks.ParseWithUnnamed([]byte(text)); err != nil {
		return errors.New("holds no key that could verify a signature: RSA of 2048 bits or more, EC or Ed25519")
	}
	return nil
}

// isSecret looks for the members of private and of symmetric keys (RFC 7518
// §6.2.2, §6.3.2 and §6.4.1).
func isSecret(key map[string]json.RawMessage) bool {
	_, private := key["d"]
	_, symmetric := key["k"]
	return private || symmetric
}

// checkHTTPS says why raw is no https URL, in words that fit behind it.
func checkHTTPS(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || len(raw) > oauth.MaxURLLength:
		return errors.New("is not an https URL")
	case u.User != nil || strings.Contains(raw, "#"):
		return errors.New("must have neither user information nor fragment")
	}
	return nil
}
