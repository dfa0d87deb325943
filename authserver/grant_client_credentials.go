package authserver

import (
	"context"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// clientCredentialsGrant lets a client act for itself (OAuth 2.1 §4.2). The
// client is its own subject and in no group; there is no refresh token, since
// the client can ask again, and so nothing is stored. A client that registered
// itself is refused: nobody would have let it in.
type clientCredentialsGrant struct{}

func (clientCredentialsGrant) prove(_ context.Context, t *tokenRequest) (proof, error) {
	if !t.client.Confidential() || !t.client.Declared() {
		return proof{}, oauth.Errorf(oauth.UnauthorizedClient, "client_credentials is for declared clients that authenticate")
	}
	return proof{Subject: t.client.ID}, nil
}

func (clientCredentialsGrant) spend(context.Context, *tokenRequest) (store.Grant, error) {
	return store.Grant{}, nil
}
