package store

import (
	"context"
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

// The rows that nobody can need any more: each statement deletes at most $2 of
// them, found by an index. Each repeats its condition outside, for rows that
// changed while it waited for them.
const (
	deleteCodes = `DELETE FROM codes WHERE code_hash IN
		(SELECT code_hash FROM codes WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteRevocations = `DELETE FROM revocations WHERE sequence IN
		(SELECT sequence FROM revocations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deletePushedRequests = `DELETE FROM pushed_requests WHERE request_hash IN
		(SELECT request_hash FROM pushed_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteSessions = `DELETE FROM sessions WHERE session_hash IN
		(SELECT session_hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteExpiredConsents = `DELETE FROM consents WHERE expires_at <= $1 AND (user_subject, client_id, resource, redirect_host) IN
		(SELECT user_subject, client_id, resource, redirect_host FROM consents WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteUsedKeys = `DELETE FROM used_keys WHERE key_hash IN
		(SELECT key_hash FROM used_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteFullBuckets = `DELETE FROM buckets WHERE full_at <= $1 AND key_hash IN
		(SELECT key_hash FROM buckets WHERE full_at <= $1 ORDER BY full_at LIMIT $2)`
	deleteRegistrations = `DELETE FROM registrations WHERE expires_at > 0 AND expires_at <= $1 AND client_id IN
		(SELECT client_id FROM registrations WHERE expires_at > 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2)`
)

// Grants end in several ways, of which rotations move one. A grant is looked at
// when the first of its ends, as it was known the last time, has come; there it is
// deleted or put off to the next one.
const (
	deleteGrants = `DELETE FROM grants WHERE ` + swept + ` AND ` + dueGrants
	putOffGrants = `UPDATE grants SET sweep_at = CASE WHEN revoked_at > 0 THEN revoked_at + 86400000 ELSE ` + sweepAt + ` END
		WHERE NOT ` + swept + ` AND ` + dueGrants
	dueGrants = `grant_id IN (SELECT grant_id FROM grants WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)`
	swept     = `(max_expires_at <= $1 OR refreshable = 1 AND idle_expires_at <= $3 OR revoked_at > 0 AND revoked_at <= $3)`
	// sweepAt is when cleaning looks at a grant that is not revoked: keepGrants, in
	// milliseconds, after it is idle, or at its absolute end.
	sweepAt = `CASE WHEN refreshable = 1 AND idle_expires_at + 86400000 < max_expires_at
		THEN idle_expires_at + 86400000 ELSE max_expires_at END`
)

// DeleteExpired implements Store.
func (s *sqlStore) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	deleted := int64(0)
	for _, sweep := range []struct {
		statement string
		endedBy   int64
	}{
		{deleteCodes, millis(now.Add(-keepCodes))},
		{deleteRevocations, millis(now)},
		{deletePushedRequests, millis(now)},
		{deleteSessions, millis(now)},
		{deleteExpiredConsents, millis(now)},
		{deleteUsedKeys, millis(now)},
		{deleteFullBuckets, now.UnixMicro()},
		{deleteRegistrations, millis(now)},
	} {
		rows, err := s.execute(ctx, "delete expired rows", sweep.statement, sweep.endedBy, int64(limit)-deleted)
		if err != nil {
			return int(deleted), err
		}
		if deleted += rows; deleted >= int64(limit) {
			return int(deleted), nil
		}
	}
	grants, err := s.sweepGrants(ctx, now, int64(limit)-deleted)
	return int(deleted + grants), err
}

// sweepGrants deletes at most limit grants that ended, and puts others off until
// it has or none is due.
func (s *sqlStore) sweepGrants(ctx context.Context, now time.Time, limit int64) (int64, error) {
	deleted := int64(0)
	for deleted < limit {
		args := []any{millis(now), limit - deleted, millis(now.Add(-keepGrants))}
		rows, err := s.execute(ctx, "delete grants that ended", deleteGrants, args...)
		if err != nil {
			return deleted, err
		}
		deleted += rows
		putOff, err := s.execute(ctx, "look at grants that may have ended", putOffGrants, args...)
		if err != nil {
			return deleted, fmt.Errorf("sweep grants: %w", err)
		}
		if rows == 0 && putOff == 0 {
			break
		}
	}
	return deleted, nil
}
