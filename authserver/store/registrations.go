package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	insertRegistration = `INSERT INTO registrations
		(client_id, resource, name, redirect_uris, grant_types, auth_method, secret_hash, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (client_id) DO NOTHING`
	selectRegistration = `SELECT client_id, resource, name, redirect_uris, grant_types, auth_method, secret_hash, created_at
		FROM registrations WHERE client_id = $1`
)

// CreateRegistration implements Registrations.
func (s *sqlStore) CreateRegistration(ctx context.Context, r Registration) error {
	result, err := s.writer.ExecContext(ctx, insertRegistration, r.ClientID, string(r.Resource), r.Name,
		list(r.RedirectURIs), list(r.GrantTypes), r.AuthMethod, r.Secret.String(), millis(r.Created))
	if err != nil {
		return fmt.Errorf("store a registration: %w", err)
	}
	rows, err := result.RowsAffected()
	switch {
	case err != nil:
		return fmt.Errorf("store a registration: %w", err)
	case rows == 0:
		return ErrExists
	}
	return nil
}

// Registration implements Registrations.
func (s *sqlStore) Registration(ctx context.Context, clientID string) (Registration, error) {
	var r Registration
	err := s.reader.QueryRowContext(ctx, selectRegistration, clientID).Scan(&r.ClientID, &r.Resource, &r.Name,
		(*listColumn)(&r.RedirectURIs), (*listColumn)(&r.GrantTypes), &r.AuthMethod,
		(*hashColumn)(&r.Secret), (*timeColumn)(&r.Created))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Registration{}, ErrNotFound
	case err != nil:
		return Registration{}, fmt.Errorf("read a registration: %w", err)
	}
	return r, nil
}
