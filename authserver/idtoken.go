package authserver

import (
	"encoding/json"
	"fmt"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
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
