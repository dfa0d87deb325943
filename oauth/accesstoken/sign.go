package accesstoken

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Type is the "typ" of an access token (RFC 9068 §2.1).
const Type = "at+jwt"

// Signer is the active key of an authorization server; a keyring.Key is one.
type Signer interface {
	KeyID() string
	SigningAlgorithm() string
	// Sign returns the JWS signature over input.
	Sign(input []byte) ([]byte, error)
}

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// Sign writes the claims as a compact JWS (RFC 7515 §7.1).
func Sign(claims *Claims, signer Signer) (string, error) {
	head, err := json.Marshal(header{Algorithm: signer.SigningAlgorithm(), KeyID: signer.KeyID(), Type: Type})
	if err != nil {
		return "", fmt.Errorf("encode the token's header: %w", err)
	}
	payload, err := claims.encode()
	if err != nil {
		return "", fmt.Errorf("encode the token's claims: %w", err)
	}
	enc := base64.RawURLEncoding
	token := make([]byte, 0, enc.EncodedLen(len(head)+len(payload)+512)+2)
	token = enc.AppendEncode(token, head)
	token = append(token, '.')
	token = enc.AppendEncode(token, payload)
	signature, err := signer.Sign(token)
	if err != nil {
		return "", fmt.Errorf("sign an access token: %w", err)
	}
	token = append(token, '.')
	return string(enc.AppendEncode(token, signature)), nil
}
