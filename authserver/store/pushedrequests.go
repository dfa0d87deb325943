package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	insertPushedRequest = `INSERT INTO pushed_requests (request_hash, client_id, issuer, parameters, expires_at) VALUES ($1, $2, $3, $4, $5)`
	// Whoever deletes the row has it.
	takePushedRequest = `DELETE FROM pushed_requests WHERE request_hash = $1 AND expires_at > $2
		RETURNING request_hash, client_id, issuer, parameters, expires_at`
)

// errEndless refuses rows that could never be found, or never be cleaned away.
var errEndless = errors.New("it has no hash, or never expires")

// CreatePushedRequest implements PushedRequests.
func (s *sqlStore) CreatePushedRequest(ctx context.Context, p PushedRequest) error {
	if (p.Hash == credential.Hash{} || p.Expires.IsZero()) {
		return fmt.Errorf("store a pushed request: %w", errEndless)
	}
	_, err := s.execute(ctx, "store a pushed request", insertPushedRequest,
		p.Hash.String(), p.ClientID, p.Issuer, p.Parameters, millis(p.Expires))
	return err
}

// TakePushedRequest implements PushedRequests.
func (s *sqlStore) TakePushedRequest(ctx context.Context, hash credential.Hash, now time.Time) (PushedRequest, error) {
	var p PushedRequest
	var taken bool
	err := s.db.change(ctx, func(ctx context.Context, q statements) error {
		err := q.row(ctx, takePushedRequest, hash.String(), millis(now)).
			Scan((*hashColumn)(&p.Hash), &p.ClientID, &p.Issuer, &p.Parameters, (*timeColumn)(&p.Expires))
		taken = err == nil
		return unlessNone(err)
	})
	switch {
	case err != nil:
		return PushedRequest{}, fmt.Errorf("take a pushed request: %w", err)
	case !taken:
		return PushedRequest{}, ErrNotFound
	}
	return p, nil
}
