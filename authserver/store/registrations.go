package store

import (
	"context"
	"fmt"
	"time"
)

// RegistrationPrefix begins the client id of every registration, and of no other
// client: what it does not begin needs no look at the registrations.
const RegistrationPrefix = "mcpc_"

const (
	registrationColumns = `client_id, resource, name, redirect_uris, grant_types, auth_method, jwks, jwks_uri,
		require_pushed_requests, require_dpop, secret_hash, token_hash, created_at, expires_at`
	insertRegistration = `INSERT INTO registrations (` + registrationColumns + `, used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0) ON CONFLICT (client_id) DO NOTHING`
	selectRegistration = `SELECT ` + registrationColumns + ` FROM registrations WHERE client_id = $1`
	updateRegistration = `UPDATE registrations SET name = $2, redirect_uris = $3, grant_types = $4, auth_method = $5,
		jwks = $6, jwks_uri = $7, require_pushed_requests = $8, require_dpop = $9, secret_hash = $10, token_hash = $11
		WHERE client_id = $1`
	deleteRegistration = `DELETE FROM registrations WHERE client_id = $1`
)

// Registration implements Registrations.
func (s *sqlStore) Registration(ctx context.Context, clientID string, now time.Time) (Registration, error) {
	var r Registration
	err := s.find(ctx, "a registration", selectRegistration, []any{clientID}, []any{
		&r.ClientID, &r.Resource, &r.Name, (*listColumn)(&r.RedirectURIs), (*listColumn)(&r.GrantTypes), &r.AuthMethod, &r.JWKS, &r.JWKSURI,
		&r.RequirePushedRequests, &r.RequireDPoP, (*hashColumn)(&r.Secret), (*hashColumn)(&r.Token), (*timeColumn)(&r.Created), (*timeColumn)(&r.Expires),
	})
	switch {
	case err != nil:
		return Registration{}, err
	case hasExpired(r.Expires, now):
		return Registration{}, ErrNotFound
	}
	return r, nil
}

// hasExpired compares as the statements do, in whole milliseconds; a zero time
// never expires.
func hasExpired(at, now time.Time) bool { return !at.IsZero() && millis(at) <= millis(now) }

// UpdateRegistration implements Registrations.
func (s *sqlStore) UpdateRegistration(ctx context.Context, r Registration) error {
	if !storable(r.ClientID) {
		return ErrNotFound
	}
	changed, err := s.execute(ctx, "update a registration", updateRegistration, r.ClientID, r.Name,
		list(r.RedirectURIs), list(r.GrantTypes), r.AuthMethod, r.JWKS, r.JWKSURI,
		flag(r.RequirePushedRequests), flag(r.RequireDPoP), r.Secret.String(), r.Token.String())
	if err == nil && changed == 0 {
		return ErrNotFound
	}
	return err
}

// DeleteRegistration implements Registrations.
func (s *sqlStore) DeleteRegistration(ctx context.Context, clientID string, now time.Time) error {
	if !storable(clientID) {
		return ErrNotFound
	}
	var deleted int64
	err := s.db.transact(ctx, func(ctx context.Context, q statements) (err error) {
		if deleted, err = q.exec(ctx, deleteRegistration, clientID); err != nil || deleted == 0 {
			return err
		}
		_, err = revoke(ctx, q, now, byClient, clientID)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("delete a registration: %w", err)
	case deleted == 0:
		return ErrNotFound
	}
	return nil
}

// CreateRegistration implements Registrations.
func (s *sqlStore) CreateRegistration(ctx context.Context, r Registration, quota Quota) error {
	values := []any{
		r.ClientID, string(r.Resource), r.Name, list(r.RedirectURIs), list(r.GrantTypes), r.AuthMethod, r.JWKS, r.JWKSURI,
		flag(r.RequirePushedRequests), flag(r.RequireDPoP), r.Secret.String(), r.Token.String(), millis(r.Created), millis(r.Expires),
	}
	if quota == (Quota{}) {
		created, err := s.execute(ctx, "store a registration", insertRegistration, values...)
		if err == nil && created == 0 {
			return ErrExists
		}
		return err
	}
	if !storable(values...) {
		return fmt.Errorf("store a registration: %w", errUnstorable)
	}
	var decision error
	err := s.db.transact(ctx, func(ctx context.Context, q statements) (err error) {
		if decision, err = admit(ctx, q, &r, quota); err != nil || decision != nil {
			return err
		}
		created, err := q.exec(ctx, insertRegistration, values...)
		if created == 0 {
			decision = ErrExists
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store a registration: %w", err)
	}
	return decision
}
