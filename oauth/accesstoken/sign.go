package accesstoken

import (
	"fmt"
)

// Type is the "typ" of an access token (RFC 9068 §2.1).
const Type = "at+jwt"

// Signer is the active key of an authorization server; a keyring.Key is one.
type Signer interface {
	// SignCompact returns payload as a compact JWS (RFC 7515 §7.1) whose header names
	// the key, its algorithm and typ.
	SignCompact(typ string, payload []byte) (string, error)
}

// Sign writes the claims as a compact JWS.
func Sign(claims *Claims, signer Signer) (string, error) {
	payload, err := claims.encode()
	if err != nil {
		return "", fmt.Errorf("encode the token's claims: %w", err)
	}
	token, err := signer.SignCompact(Type, payload)
	if err != nil {
		return "", fmt.Errorf("sign an access token: %w", err)
	}
	return token, nil
}
