package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keepRevocations is how long the revocation of a grant is kept: longer than the
// longest access token, an hour, lives.
const keepRevocations = 65 * time.Minute

const (
	// Revocations wait for each other here, from their first statement to their
	// commit: they become visible in the order of their numbers, and no two hold
	// grants that the other one waits for.
	lockRevocations  = `UPDATE sequences SET value = value WHERE name = 'revocations' RETURNING value`
	countRevocations = `UPDATE sequences SET value = value + $1 WHERE name = 'revocations'`
	// The grants of a revocation are those that its entries name, so that one that
	// begins meanwhile is in both or in neither.
	revokeListed = `UPDATE grants SET revoked_at = $1, sweep_at = CASE WHEN sweep_at > $2 THEN $2 ELSE sweep_at END
		WHERE grant_id IN (SELECT id FROM revocations WHERE sequence > $3)`
	insertRevocations = `INSERT INTO revocations (sequence, id, expires_at)
		SELECT $2 + ROW_NUMBER() OVER (ORDER BY grant_id), grant_id, CAST($1 AS BIGINT) + CAST($3 AS BIGINT) FROM grants WHERE `
	listRevoked     = `SELECT id FROM revocations WHERE sequence > $1 ORDER BY sequence`
	selectUnrevoked = `SELECT COUNT(*) FROM grants WHERE grant_id = $1 AND revoked_at = 0`
	// A grant that is named is revoked even where it has ended: its last access token
	// may have not.
	byID             = `grant_id = $4 AND revoked_at = 0`
	byUserAndClient  = `user_subject = $4 AND client_id = $5 AND ` + living
	byClient         = `client_id = $4 AND ` + living
	spendCodes       = `UPDATE codes SET spent_at = $1 WHERE user_subject = $2 AND client_id = $3 AND spent_at = 0`
	insertRevocation = `INSERT INTO revocations (sequence, id, expires_at)
		SELECT value + 1, $1, $2 FROM sequences WHERE name = 'revocations' AND NOT EXISTS (SELECT 1 FROM revocations WHERE id = $1)`
	selectRevocation  = `SELECT COUNT(*) FROM (SELECT 1 FROM revocations WHERE id = $1 LIMIT 1) AS found`
	selectRevocations = `SELECT sequence, id, expires_at FROM revocations WHERE sequence > $1 AND expires_at > $2
		ORDER BY sequence LIMIT $3`
	selectLastRevocation = `SELECT value FROM sequences WHERE name = 'revocations'`
)

// RevokeGrant implements Grants.
func (s *sqlStore) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	// Whoever revokes what is not there, or once more, waits for nobody.
	var unrevoked int64
	err := s.find(ctx, "a grant", selectUnrevoked, []any{id}, []any{&unrevoked})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && unrevoked == 0:
		return nil
	case err != nil:
		return err
	}
	err = s.db.transact(ctx, func(ctx context.Context, q statements) error {
		_, err := revoke(ctx, q, now, byID, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke a grant: %w", err)
	}
	return nil
}

// RevokeGrants implements Grants.
func (s *sqlStore) RevokeGrants(ctx context.Context, subject, clientID string, now time.Time) ([]string, error) {
	if !storable(subject, clientID) {
		return nil, nil
	}
	var ids []string
	err := s.db.transact(ctx, func(ctx context.Context, q statements) (err error) {
		ids = nil
		before, err := revoke(ctx, q, now, byUserAndClient, subject, clientID)
		if err != nil {
			return err
		}
		// What has been approved and not been redeemed yet begins no more.
		if _, err := q.exec(ctx, spendCodes, millis(now), subject, clientID); err != nil || before < 0 {
			return err
		}
		ids, err = revokedSince(ctx, q, before)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoke a user's grants: %w", err)
	}
	return ids, nil
}

// revoke ends the grants that the condition finds and writes their revocations. It
// returns the sequence number before them, or -1 where there were none.
func revoke(ctx context.Context, q statements, now time.Time, condition string, args ...any) (int64, error) {
	var before int64
	if err := q.row(ctx, lockRevocations).Scan(&before); err != nil {
		return 0, err
	}
	values := append([]any{millis(now), before, keepRevocations.Milliseconds()}, args...)
	revoked, err := q.exec(ctx, insertRevocations+condition, values...)
	switch {
	case err != nil:
		return 0, err
	case revoked == 0:
		return -1, nil
	}
	if _, err := q.exec(ctx, revokeListed, millis(now), millis(now.Add(keepGrants)), before); err != nil {
		return 0, err
	}
	_, err = q.exec(ctx, countRevocations, revoked)
	return before, err
}

func revokedSince(ctx context.Context, q statements, before int64) ([]string, error) {
	rows, err := q.rows(ctx, listRevoked, before)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// RevokeToken implements Revocations.
func (s *sqlStore) RevokeToken(ctx context.Context, id string, expires time.Time) error {
	if id == "" || expires.IsZero() || !storable(id) {
		return errors.New("revoke a token: it has no id, or never expires")
	}
	err := s.db.transact(ctx, func(ctx context.Context, q statements) error {
		var before int64
		if err := q.row(ctx, lockRevocations).Scan(&before); err != nil {
			return err
		}
		revoked, err := q.exec(ctx, insertRevocation, id, millis(expires))
		if err != nil || revoked == 0 {
			return err
		}
		_, err = q.exec(ctx, countRevocations, revoked)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke a token: %w", err)
	}
	return nil
}

// Revoked implements Revocations.
func (s *sqlStore) Revoked(ctx context.Context, id string) (bool, error) {
	var found int64
	err := s.find(ctx, "a revocation", selectRevocation, []any{id}, []any{&found})
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return found > 0, err
}

// Revocations implements Revocations.
func (s *sqlStore) Revocations(ctx context.Context, after int64, now time.Time, limit int) ([]Revocation, error) {
	all, err := listRows(ctx, s.db, revocationTargets, selectRevocations, after, millis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	return all, nil
}

func revocationTargets(r *Revocation) []any {
	return []any{&r.Sequence, &r.ID, (*timeColumn)(&r.Expires)}
}

// LastRevocation implements Revocations.
func (s *sqlStore) LastRevocation(ctx context.Context) (int64, error) {
	var last int64
	err := s.find(ctx, "the last revocation", selectLastRevocation, nil, []any{&last})
	return last, err
}
