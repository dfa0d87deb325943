package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	selectGrant = `SELECT rotated_at, revoked_at, ` + grantColumns + ` FROM grants WHERE grant_id = $1`
	// Whoever presents the newest generation of a living grant advances it, in one
	// statement: no two can.
	rotateGrant = `UPDATE grants SET generation = generation + 1, rotated_at = $1, idle_expires_at = $2
		WHERE grant_id = $3 AND generation = $4 AND refreshable = 1 AND revoked_at = 0
		AND idle_expires_at > $1 AND max_expires_at > $1
		RETURNING ` + grantColumns
	revokeGrant = `UPDATE grants SET revoked_at = $1 WHERE grant_id = $2 AND revoked_at = 0`
)

// grantRow is a grant and what only the store needs to know of it.
type grantRow struct {
	Grant
	rotated, revoked time.Time
}

// ended compares as the statements do, in whole milliseconds.
func (g *grantRow) ended(now time.Time) bool {
	return millis(g.MaxExpires) <= millis(now) || g.Refreshable && millis(g.IdleExpires) <= millis(now)
}

// Grant implements Grants.
func (s *sqlStore) Grant(ctx context.Context, id string, now time.Time) (Grant, error) {
	row, err := s.grant(ctx, id, now)
	if err != nil {
		return Grant{}, err
	}
	return row.Grant, nil
}

func (s *sqlStore) grant(ctx context.Context, id string, now time.Time) (grantRow, error) {
	var row grantRow
	targets := append([]any{(*timeColumn)(&row.rotated), (*timeColumn)(&row.revoked)}, grantTargets(&row.Grant)...)
	err := s.reader.QueryRowContext(ctx, selectGrant, id).Scan(targets...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return grantRow{}, ErrNotFound
	case err != nil:
		return grantRow{}, fmt.Errorf("read a grant: %w", err)
	case !row.revoked.IsZero():
		return grantRow{}, ErrRevoked
	case row.ended(now):
		return grantRow{}, ErrNotFound
	}
	return row, nil
}

// RotateRefresh implements Grants.
func (s *sqlStore) RotateRefresh(ctx context.Context, r Rotation) (Grant, error) {
	grant, err := s.rotate(ctx, r)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return s.repeatRotation(ctx, r)
	case err != nil:
		return Grant{}, fmt.Errorf("rotate a refresh token: %w", err)
	}
	return grant, nil
}

// rotate fails with sql.ErrNoRows where the presented generation is not the
// newest of a living grant.
func (s *sqlStore) rotate(ctx context.Context, r Rotation) (Grant, error) {
	rows, err := s.writer.QueryContext(ctx, rotateGrant, millis(r.Now), millis(r.IdleExpires), r.GrantID, r.Generation)
	if err != nil {
		return Grant{}, err
	}
	defer rows.Close()
	var grant Grant
	found := false
	// The last Next commits: only after it is the rotation durable, and only its
	// error would tell that it is not.
	for rows.Next() {
		found = true
		if err := rows.Scan(grantTargets(&grant)...); err != nil {
			return Grant{}, err
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return Grant{}, err
	}
	if !found {
		return Grant{}, sql.ErrNoRows
	}
	return grant, nil
}

// repeatRotation answers a generation that is not the newest.
func (s *sqlStore) repeatRotation(ctx context.Context, r Rotation) (Grant, error) {
	row, err := s.grant(ctx, r.GrantID, r.Now)
	switch {
	case err != nil:
		return Grant{}, err
	case !row.Refreshable, r.Generation < 1, r.Generation >= row.Generation:
		return Grant{}, ErrNotFound
	case r.Generation == row.Generation-1 && r.Now.Before(row.rotated.Add(r.Grace)):
		return row.Grant, nil
	}
	return Grant{}, ErrReused
}

// RevokeGrant implements Grants.
func (s *sqlStore) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	if _, err := s.writer.ExecContext(ctx, revokeGrant, millis(now), id); err != nil {
		return fmt.Errorf("revoke a grant: %w", err)
	}
	return nil
}
