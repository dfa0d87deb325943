package authservertest

import (
	"context"
	"time"

	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// What the sample catalog holds.
const (
	ResourceID  = oauth.ResourceID("apps-todo")
	ResourceURL = "http://127.0.0.1:9401/mcp"

	Username = "alice" // in the group staff
	Password = "wonderland"
	// OtherUsername is in no group and has the same password.
	OtherUsername = "bob"

	AgentID       = "agent"
	AgentSecret   = "mcpsec_test-only-0123456789abcdefghijklmnop"
	AgentRedirect = "http://127.0.0.1:8765/callback"
)

// passwordHash is Password's, of the least cost.
const passwordHash = "$2a$04$8F2fvxLX9Mm4HO3iDeQB6uEMcnmZFd6P4NLZSb7wXa.QMf50v0Pv2"

// Sample is a fresh copy of the sample catalog's content.
func Sample(issuer string) catalog.Content {
	return catalog.Content{
		Issuer: issuer, DisplayName: "Example Platform",
		Registration:    catalog.Registration{Dynamic: true, MetadataDocuments: true},
		SessionLifetime: 12 * time.Hour,
		Resources: []*catalog.Resource{{
			ID: ResourceID, URL: ResourceURL, DisplayName: "Todo",
			Scopes: []*catalog.Scope{
				{Name: "todo:read", Description: "Read your tasks", Default: true},
				{Name: "todo:write", Description: "Create and delete tasks"},
			},
			AccessTokenLifetime: 15 * time.Minute,
			RefreshTokenIdle:    24 * time.Hour, RefreshTokenMax: 30 * 24 * time.Hour,
		}},
		Clients: []*catalog.Client{{
			ID: AgentID, Name: "Agent", Resources: []oauth.ResourceID{ResourceID},
			GrantTypes:   []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
			RedirectURIs: []string{AgentRedirect}, AuthMethod: oauth.AuthMethodClientSecretBasic,
		}},
		Providers: []*catalog.IdentityProvider{{
			Name: "people", DisplayName: "Example accounts",
			Static: &catalog.StaticProvider{Users: []catalog.StaticUser{
				{Username: Username, Email: "alice@example.com", PasswordHash: passwordHash, Groups: []string{"staff"}},
				{Username: OtherUsername, PasswordHash: passwordHash},
			}},
		}},
	}
}

// Secrets are those that the sample catalog only names.
func Secrets() authserver.Secrets { return secrets{AgentID: credential.HashOf(AgentSecret)} }

// secrets holds the secrets of declared clients.
type secrets map[string]credential.Hash

// ClientSecrets implements authserver.Secrets.
func (s secrets) ClientSecrets(clientID string) []credential.Hash {
	if hash, ok := s[clientID]; ok {
		return []credential.Hash{hash}
	}
	return nil
}

// ProviderSecret implements authserver.Secrets.
func (s secrets) ProviderSecret(context.Context, *catalog.OIDCProvider) (string, error) {
	return "upstream-secret", nil
}
