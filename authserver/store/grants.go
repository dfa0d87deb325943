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
	// statement: no two can. No index changes with it.
	rotateGrant = `UPDATE grants SET generation = generation + 1, rotated_at = $1, idle_expires_at = $2
		WHERE grant_id = $3 AND generation = $4 AND refreshable = 1 AND revoked_at = 0
		AND idle_expires_at > $1 AND max_expires_at > $1
		RETURNING ` + grantColumns
	selectGrantsOfUser = `SELECT ` + grantColumns + ` FROM grants WHERE user_subject = $2 AND ` + living + `
		ORDER BY created_at DESC, grant_id LIMIT $3`
	// living holds for grants that have not ended at $1.
	living = `revoked_at = 0 AND max_expires_at > $1 AND (refreshable = 0 OR idle_expires_at > $1)`
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
	err := s.find(ctx, "a grant", selectGrant, []any{id}, targets)
	switch {
	case err != nil:
		return grantRow{}, err
	case !row.revoked.IsZero():
		return grantRow{}, ErrRevoked
	case row.ended(now):
		return grantRow{}, ErrNotFound
	}
	return row, nil
}

// GrantsOf implements Grants.
func (s *sqlStore) GrantsOf(ctx context.Context, subject string, now time.Time, limit int) ([]Grant, error) {
	if !storable(subject) {
		return nil, nil
	}
	grants, err := listRows(ctx, s.db, grantTargets, selectGrantsOfUser, millis(now), subject, limit)
	if err != nil {
		return nil, fmt.Errorf("list a user's grants: %w", err)
	}
	return grants, nil
}

// RotateRefresh implements Grants.
func (s *sqlStore) RotateRefresh(ctx context.Context, r Rotation) (Grant, error) {
	if !storable(r.GrantID) {
		return Grant{}, ErrNotFound
	}
	var grant Grant
	var rotated bool
	err := s.db.change(ctx, func(ctx context.Context, q statements) error {
		err := q.row(ctx, rotateGrant, millis(r.Now), millis(r.IdleExpires), r.GrantID, r.Generation).Scan(grantTargets(&grant)...)
		rotated = err == nil
		return unlessNone(err)
	})
	switch {
	case err != nil:
		return Grant{}, fmt.Errorf("rotate a refresh token: %w", err)
	case !rotated:
		return s.repeatRotation(ctx, r)
	}
	return grant, nil
}

// unlessNone is the error, or nil where it says only that there is no row.
func unlessNone(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// repeatRotation answers a generation that is not the newest of a living grant.
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
