package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// How long rows stay after they ended, for decisions that look back.
const (
	// keepCodes lets a replayed code be told from a guess and its grant be revoked.
	keepCodes = time.Hour
	// keepGrants lets a client that comes back be told that its grant was revoked,
	// and outlives every access token of the grant.
	keepGrants = 24 * time.Hour
)

// sqlStore is the one implementation on SQL. Its statements are those that
// SQLite and PostgreSQL share.
type sqlStore struct {
	// writer and reader may be the same.
	writer *sql.DB
	reader *sql.DB
}

var _ Store = (*sqlStore)(nil)

// Ping says whether the database answers.
func (s *sqlStore) Ping(ctx context.Context) error {
	var one int
	if err := s.reader.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// Close closes the readers first, so that the writer, as the last one, can fold
// the write-ahead log into the database.
func (s *sqlStore) Close() error {
	var err error
	if s.reader != s.writer {
		err = s.reader.Close()
	}
	return errors.Join(err, s.writer.Close())
}

// The rows that nobody can need any more: each statement deletes at most $2 of
// them, found by an index.
const (
	deleteCodes = `DELETE FROM codes WHERE code_hash IN
		(SELECT code_hash FROM codes WHERE expires_at <= $1 LIMIT $2)`
	deleteEndedGrants = `DELETE FROM grants WHERE grant_id IN
		(SELECT grant_id FROM grants WHERE max_expires_at <= $1 LIMIT $2)`
	deleteIdleGrants = `DELETE FROM grants WHERE grant_id IN
		(SELECT grant_id FROM grants WHERE refreshable = 1 AND idle_expires_at <= $1 LIMIT $2)`
	deleteRevokedGrants = `DELETE FROM grants WHERE grant_id IN
		(SELECT grant_id FROM grants WHERE revoked_at > 0 AND revoked_at <= $1 LIMIT $2)`
)

// DeleteExpired implements Store.
func (s *sqlStore) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	deleted := 0
	for _, sweep := range []struct {
		statement string
		endedBy   time.Time
	}{
		{deleteCodes, now.Add(-keepCodes)},
		{deleteEndedGrants, now},
		{deleteIdleGrants, now.Add(-keepGrants)},
		{deleteRevokedGrants, now.Add(-keepGrants)},
	} {
		if deleted >= limit {
			break
		}
		result, err := s.writer.ExecContext(ctx, sweep.statement, millis(sweep.endedBy), limit-deleted)
		if err != nil {
			return deleted, fmt.Errorf("delete expired rows: %w", err)
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return deleted, fmt.Errorf("count deleted rows: %w", err)
		}
		deleted += int(rows)
	}
	return deleted, nil
}
