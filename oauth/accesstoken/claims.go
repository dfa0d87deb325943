package accesstoken

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
)

// Claims is what an access token says. Times have a resolution of one second.
type Claims struct {
	Issuer   string
	Subject  string
	Audience []string
	ClientID string
	Scope    oauth.ScopeSet
	IssuedAt time.Time
	Expiry   time.Time
	// ID is the token's own identifier, "jti".
	ID string
	// GrantID names the grant that the token came from, "grant_id"; revoking the
	// grant kills every token that carries it. Empty on a client's own tokens.
	GrantID string
	// Email and Organization describe the user, where the identity provider
	// vouched for them; empty otherwise.
	Email        string
	Organization string
	// AuthTime is when the user proved who they are, "auth_time"; zero where nobody
	// did or nobody knows (RFC 9068 §2.2.1).
	AuthTime time.Time
	// ACR is the authentication context class that the identity provider stated,
	// "acr"; empty where it stated none.
	ACR string
	// KeyThumbprint is the RFC 7638 thumbprint of the key that the token is bound to,
	// "cnf.jkt" (RFC 9449 §6.1); empty where any bearer may use it. Whoever accepts a
	// bound token must check, with a DPoP proof, that the sender has the key:
	// Verifier cannot, since it sees the token alone.
	KeyThumbprint string
}

// wire is the JSON form of RFC 9068 §2.2, with "scopes" as an array beside
// "scope", because validating libraries in the field read one or the other.
type wire struct {
	Issuer       string   `json:"iss"`
	Subject      string   `json:"sub"`
	Audience     audience `json:"aud"`
	ClientID     string   `json:"client_id"`
	Scope        string   `json:"scope"`
	Scopes       []string `json:"scopes"`
	IssuedAt     int64    `json:"iat"`
	NotBefore    int64    `json:"nbf,omitempty"`
	Expiry       int64    `json:"exp"`
	ID           string   `json:"jti"`
	GrantID      string   `json:"grant_id,omitempty"`
	Email        string   `json:"email,omitempty"`
	Organization string   `json:"org,omitempty"`
	AuthTime     int64    `json:"auth_time,omitempty"`
	ACR          string   `json:"acr,omitempty"`

	Confirmation *confirmation `json:"cnf,omitempty"`
}

// confirmation says what the sender of the token has to have (RFC 7800 §3.1).
type confirmation struct {
	KeyThumbprint string `json:"jkt"`
}

// audience reads one string or an array of them (RFC 7519 §4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func (c *Claims) encode() ([]byte, error) {
	w := wire{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience, ClientID: c.ClientID,
		Scope: c.Scope.String(), Scopes: c.Scope.Names(),
		IssuedAt: c.IssuedAt.Unix(), Expiry: c.Expiry.Unix(),
		ID: c.ID, GrantID: c.GrantID, Email: c.Email, Organization: c.Organization, ACR: c.ACR,
	}
	if !c.AuthTime.IsZero() {
		w.AuthTime = c.AuthTime.Unix()
	}
	if c.KeyThumbprint != "" {
		w.Confirmation = &confirmation{c.KeyThumbprint}
	}
	return json.Marshal(w)
}

func decode(payload []byte) (*Claims, time.Time, error) {
	var w wire
	if err := json.Unmarshal(payload, &w); err != nil {
		return nil, time.Time{}, errors.New("the claims are not of RFC 9068's shape")
	}
	scope, err := oauth.ParseScope(w.Scope)
	if err != nil {
		return nil, time.Time{}, errors.New("the scope claim is malformed")
	}
	if w.Issuer == "" || w.Subject == "" || w.ClientID == "" || w.ID == "" || w.Expiry == 0 || w.IssuedAt == 0 || len(w.Audience) == 0 {
		return nil, time.Time{}, errors.New("a claim that RFC 9068 requires is missing")
	}
	// A token that is bound in a way that we cannot check is nobody's here; it must
	// not pass as one that is not bound at all.
	thumbprint := ""
	if w.Confirmation != nil {
		if thumbprint = w.Confirmation.KeyThumbprint; thumbprint == "" {
			return nil, time.Time{}, errors.New("the token is bound to something else than the thumbprint of a key")
		}
	}
	return &Claims{
		Issuer: w.Issuer, Subject: w.Subject, Audience: w.Audience, ClientID: w.ClientID, Scope: scope,
		IssuedAt: time.Unix(w.IssuedAt, 0).UTC(), Expiry: time.Unix(w.Expiry, 0).UTC(),
		ID: w.ID, GrantID: w.GrantID, Email: w.Email, Organization: w.Organization,
		AuthTime: atSecond(w.AuthTime), ACR: w.ACR, KeyThumbprint: thumbprint,
	}, atSecond(w.NotBefore), nil
}

// atSecond is the zero time for an absent claim.
func atSecond(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
