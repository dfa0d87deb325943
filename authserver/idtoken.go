package authserver

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// typeIDToken is the "typ" of an ID token: nobody who asks for at+jwt takes one
// for an access token.
const typeIDToken = "JWT"

// idToken is OpenID Connect Core §2, for a client that was granted "openid".
type idToken struct {
	Issuer        string `json:"iss"`
	Subject       string `json:"sub"`
	Audience      string `json:"aud"`
	IssuedAt      int64  `json:"iat"`
	Expiry        int64  `json:"exp"`
	AuthTime      int64  `json:"auth_time,omitempty"`
	Nonce         string `json:"nonce,omitempty"`
	ACR           string `json:"acr,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Organization  string `json:"org,omitempty"`
}

// idTokenAlgorithms are those with which a ring may have signed.
var idTokenAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// readIDToken returns the subject of an ID token that the issuer signed with a key
// that it still has, whenever that was.
func readIDToken(raw string, ring *keyring.Ring, i issuer) (subject string, ok bool) {
	if len(raw) > accesstoken.MaxTokenLength {
		return "", false
	}
	jws, err := jose.ParseSignedCompact(raw, idTokenAlgorithms)
	if err != nil || len(jws.Signatures) != 1 || jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != typeIDToken {
		return "", false
	}
	head := jws.Signatures[0].Protected
	set := ring.JWKS()
	keys := set.Key(head.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != head.Algorithm {
		return "", false
	}
	payload, err := jws.Verify(keys[0].Key)
	var token idToken
	if err != nil || json.Unmarshal(payload, &token) != nil || token.Issuer != i.String() {
		return "", false
	}
	return token.Subject, token.Subject != ""
}

// signIDToken says to the client who signed in. The e-mail address is there where
// "email" was granted too and the identity provider verified it.
func signIDToken(t *tokenRequest, claims *accesstoken.Claims, signer accesstoken.Signer) (string, error) {
	token := idToken{
		Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.ClientID,
		IssuedAt: claims.IssuedAt.Unix(), Expiry: claims.Expiry.Unix(),
		Nonce: t.proved.Nonce, ACR: claims.ACR, Organization: claims.Organization,
	}
	if !claims.AuthTime.IsZero() {
		token.AuthTime = claims.AuthTime.Unix()
	}
	if t.scope.Has(oauth.ScopeEmail) && claims.Email != "" {
		token.Email, token.EmailVerified = claims.Email, true
	}
	payload, err := json.Marshal(token)
	if err != nil {
		return "", fmt.Errorf("encode an ID token: %w", err)
	}
	signed, err := signer.SignCompact(typeIDToken, payload)
	if err != nil {
		return "", fmt.Errorf("sign an ID token: %w", err)
	}
	return signed, nil
}
