package store

import (
	"context"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	insertSession = `INSERT INTO sessions (session_hash, created_at, expires_at, ` + userColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	selectSession = `SELECT session_hash, created_at, expires_at, ` + userColumns + ` FROM sessions WHERE session_hash = $1`
	deleteSession = `DELETE FROM sessions WHERE session_hash = $1`
)

// CreateSession implements Sessions.
func (s *sqlStore) CreateSession(ctx context.Context, session Session) error {
	if (session.Hash == credential.Hash{} || session.Expires.IsZero()) {
		return fmt.Errorf("store a session: %w", errEndless)
	}
	values := append([]any{session.Hash.String(), millis(session.Created), millis(session.Expires)}, userValues(&session.User)...)
	_, err := s.execute(ctx, "store a session", insertSession, values...)
	return err
}

// Session implements Sessions.
func (s *sqlStore) Session(ctx context.Context, hash credential.Hash, now time.Time) (Session, error) {
	var session Session
	targets := append([]any{(*hashColumn)(&session.Hash), (*timeColumn)(&session.Created), (*timeColumn)(&session.Expires)},
		userTargets(&session.User)...)
	err := s.find(ctx, "a session", selectSession, []any{hash.String()}, targets)
	switch {
	case err != nil:
		return Session{}, err
	case hasExpired(session.Expires, now):
		return Session{}, ErrNotFound
	}
	return session, nil
}

// DeleteSession implements Sessions.
func (s *sqlStore) DeleteSession(ctx context.Context, hash credential.Hash) error {
	_, err := s.execute(ctx, "delete a session", deleteSession, hash.String())
	return err
}
