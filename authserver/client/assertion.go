package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/oauth"
)

// readAssertion reads private_key_jwt. The assertion names its client itself; a
// client_id beside it must be the same (RFC 7521 §4.2).
func readAssertion(bodyID, raw, kind string) ([]proof, error) {
	if raw == "" || kind != assertionType {
		return nil, oauth.Errorf(oauth.InvalidRequest, "client_assertion goes with the client_assertion_type %s", assertionType)
	}
	_, subject, _, err := assertion.Peek(raw)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidClient, "%w", err)
	}
	if bodyID != "" && bodyID != subject {
		return nil, oauth.Errorf(oauth.InvalidRequest, "client_id differs from the subject of client_assertion")
	}
	return []proof{{id: subject, method: oauth.AuthMethodPrivateKeyJWT, assertion: raw}}, nil
}

// verifyAssertion holds the assertion to RFC 7523 §3, and then uses it up.
func (r *Resolver) verifyAssertion(ctx context.Context, c *Client, raw string, aud Audiences) error {
	expected := assertion.Expectation{
		Kind: assertion.ClientAuthentication, Issuer: c.ID, Subject: c.ID,
		Audiences: []string{aud.Issuer, aud.TokenEndpoint, aud.Endpoint}, Now: r.options.Now(),
	}
	if r.catalog.StrictAssertions() {
		expected.Audiences, expected.SoleAudience = []string{aud.Issuer}, true
	}
	a, err := assertion.Verify(ctx, raw, c.keys, expected)
	if errors.Is(err, assertion.ErrKeysUnavailable) {
		return oauth.Errorf(oauth.TemporarilyUnavailable, "the client's keys cannot be fetched; try again in a minute").WithCause(err)
	}
	if err != nil {
		return oauth.Errorf(oauth.InvalidClient, "%w", err) // its text is for whoever sent it
	}
	if throttle := r.options.Throttle; throttle != nil && !c.Declared() {
		if err := throttle.Assert(ctx, c.ID); err != nil {
			return err
		}
	}
	key, until := a.Once()
	first, err := r.options.Once.UseOnce(ctx, key, until)
	if err != nil {
		return fmt.Errorf("remember a client's assertion: %w", err)
	}
	if !first {
		return oauth.Errorf(oauth.InvalidClient, "this assertion was used before; make a new one for every request")
	}
	return nil
}
