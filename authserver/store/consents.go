package store

import (
	"context"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
)

const (
	consentColumns = `user_subject, client_id, resource, redirect_host, scope, given_at, expires_at`
	upsertConsent  = `INSERT INTO consents (` + consentColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (user_subject, client_id, resource, redirect_host)
		DO UPDATE SET scope = excluded.scope, given_at = excluded.given_at, expires_at = excluded.expires_at`
	selectConsent = `SELECT ` + consentColumns + ` FROM consents
		WHERE user_subject = $1 AND client_id = $2 AND resource = $3 AND redirect_host = $4`
	selectConsentsOfUser = `SELECT ` + consentColumns + ` FROM consents WHERE user_subject = $1 AND expires_at > $2
		ORDER BY given_at DESC, client_id, resource, redirect_host LIMIT $3`
	deleteConsents = `DELETE FROM consents WHERE user_subject = $1 AND client_id = $2`
)

// consentTargets are where the values of consentColumns go.
func consentTargets(c *Consent) []any {
	return []any{
		&c.Subject, &c.ClientID, &c.Resource, &c.RedirectHost, (*scopeColumn)(&c.Scope), (*timeColumn)(&c.Given), (*timeColumn)(&c.Expires),
	}
}

// SaveConsent implements Consents.
func (s *sqlStore) SaveConsent(ctx context.Context, c Consent) error {
	if c.Expires.IsZero() {
		return fmt.Errorf("store a consent: %w", errEndless)
	}
	_, err := s.execute(ctx, "store a consent", upsertConsent, c.Subject, c.ClientID, string(c.Resource), c.RedirectHost,
		list(c.Scope.Names()), millis(c.Given), millis(c.Expires))
	return err
}

// Consent implements Consents.
func (s *sqlStore) Consent(ctx context.Context, subject, clientID string, resource oauth.ResourceID, redirectHost string, now time.Time) (Consent, error) {
	var c Consent
	err := s.find(ctx, "a consent", selectConsent, []any{subject, clientID, string(resource), redirectHost}, consentTargets(&c))
	switch {
	case err != nil:
		return Consent{}, err
	case hasExpired(c.Expires, now):
		return Consent{}, ErrNotFound
	}
	return c, nil
}

// ConsentsOf implements Consents.
func (s *sqlStore) ConsentsOf(ctx context.Context, subject string, now time.Time, limit int) ([]Consent, error) {
	if !storable(subject) {
		return nil, nil
	}
	all, err := listRows(ctx, s.db, consentTargets, selectConsentsOfUser, subject, millis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list a user's consents: %w", err)
	}
	return all, nil
}

// DeleteConsents implements Consents.
func (s *sqlStore) DeleteConsents(ctx context.Context, subject, clientID string) error {
	if !storable(subject, clientID) {
		return nil
	}
	_, err := s.execute(ctx, "delete consents", deleteConsents, subject, clientID)
	return err
}
