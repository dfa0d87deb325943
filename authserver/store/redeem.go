package store

import (
	"context"
	"strings"
	"time"
)

// How long a registration outlives the last grant of its client. The slack on top
// spares all but one redemption a day from writing it.
const (
	keepRegistrations  = 30 * 24 * time.Hour
	slackRegistrations = 24 * time.Hour
)

const (
	// The grant is in the code's row, column for column.
	insertGrantOfCode = `INSERT INTO grants (` + grantColumns + `, sweep_at)
		SELECT ` + grantColumns + `, ` + sweepAt + ` FROM codes WHERE code_hash = $1`
	// A registration outlives what it was granted. One that is kept long enough
	// already is not written.
	useRegistration = `UPDATE registrations SET used = 1, expires_at = CASE WHEN expires_at > 0 AND expires_at < $2 THEN $3 ELSE expires_at END
		WHERE client_id = $1 AND (used = 0 OR expires_at > 0 AND expires_at < $2)`

	// The same as one statement, which PostgreSQL can: one way to it and back. The
	// numbers are those of keepRegistrations, and slackRegistrations on top, in
	// milliseconds.
	redeemAtOnce = `WITH spent AS (` + spendCode + `),
		granted AS (INSERT INTO grants (` + grantColumns + `, sweep_at) SELECT ` + grantColumns + `, ` + sweepAt + ` FROM spent),
		used AS (UPDATE registrations SET used = 1, expires_at = CASE
			WHEN registrations.expires_at > 0 AND registrations.expires_at < spent.max_expires_at + 2592000000
			THEN spent.max_expires_at + 2678400000 ELSE registrations.expires_at END
			FROM spent WHERE registrations.client_id = spent.client_id AND starts_with(spent.client_id, '` + RegistrationPrefix + `')
			AND (registrations.used = 0 OR registrations.expires_at > 0 AND registrations.expires_at < spent.max_expires_at + 2592000000))
		SELECT ` + grantColumns + ` FROM spent`
)

// redeemByStep needs a transaction around it.
func redeemByStep(ctx context.Context, q statements, hash string, now int64) (Grant, bool, error) {
	var g Grant
	if err := q.row(ctx, spendCode, now, hash).Scan(grantTargets(&g)...); err != nil {
		return Grant{}, false, unlessNone(err)
	}
	if _, err := q.exec(ctx, insertGrantOfCode, hash); err != nil {
		return Grant{}, false, err
	}
	if !strings.HasPrefix(g.ClientID, RegistrationPrefix) {
		return g, true, nil
	}
	until := g.MaxExpires.Add(keepRegistrations)
	_, err := q.exec(ctx, useRegistration, g.ClientID, millis(until), millis(until.Add(slackRegistrations)))
	return g, err == nil, err
}

// redeemInOneStatement is the same by one statement.
func redeemInOneStatement(ctx context.Context, q statements, hash string, now int64) (Grant, bool, error) {
	var g Grant
	if err := q.row(ctx, redeemAtOnce, now, hash).Scan(grantTargets(&g)...); err != nil {
		return Grant{}, false, unlessNone(err)
	}
	return g, true, nil
}
