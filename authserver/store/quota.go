package store

import (
	"context"
	"time"
)

// Making room for a registration.
const (
	// evictionAge is how old a registration has to be before it can be forgotten for
	// another one: whoever made it has had the time to use it.
	evictionAge = time.Hour
	// evictionBatch bounds what one creation forgets, for the day on which the quota
	// shrinks.
	evictionBatch = 1000
)

const (
	// Creations wait for each other here until their commit, so that they count the
	// same rows.
	lockRegistrations  = `UPDATE sequences SET value = value + 1 WHERE name = 'registrations'`
	countRegistration  = `SELECT COUNT(*) FROM registrations WHERE client_id = $1`
	countRegistrations = `SELECT COUNT(*) FROM registrations`
	countOfResource    = `SELECT COUNT(*) FROM registrations WHERE resource = $1`
	evictRegistrations = `DELETE FROM registrations WHERE used = 0 AND client_id IN
		(SELECT client_id FROM registrations WHERE used = 0 AND created_at <= $1 ORDER BY created_at, client_id LIMIT $2)`
	evictOfResource = `DELETE FROM registrations WHERE used = 0 AND client_id IN
		(SELECT client_id FROM registrations WHERE resource = $3 AND used = 0 AND created_at <= $1 ORDER BY created_at, client_id LIMIT $2)`
)

// admit decides whether one more registration may be kept, as nil, ErrExists or
// ErrQuota, and makes the room for it.
func admit(ctx context.Context, q statements, r *Registration, quota Quota) (decision, err error) {
	if _, err := q.exec(ctx, lockRegistrations); err != nil {
		return nil, err
	}
	var taken int64
	if err := q.row(ctx, countRegistration, r.ClientID).Scan(&taken); err != nil {
		return nil, err
	}
	if taken > 0 {
		return ErrExists, nil
	}
	evictBefore := millis(r.Created) - evictionAge.Milliseconds()
	decision, err = makeRoom(ctx, q, quota.Resource, evictBefore, countOfResource, evictOfResource, string(r.Resource))
	if err != nil || decision != nil {
		return decision, err
	}
	return makeRoom(ctx, q, quota.Total, evictBefore, countRegistrations, evictRegistrations)
}

func makeRoom(ctx context.Context, q statements, most int, evictBefore int64, count, evict string, resource ...any) (decision, err error) {
	if most == 0 {
		return nil, nil
	}
	var kept int64
	if err := q.row(ctx, count, resource...).Scan(&kept); err != nil {
		return nil, err
	}
	excess := kept + 1 - int64(most)
	if excess <= 0 {
		return nil, nil
	}
	evicted, err := q.exec(ctx, evict, append([]any{evictBefore, min(excess, evictionBatch)}, resource...)...)
	if err == nil && evicted < excess {
		decision = ErrQuota
	}
	return decision, err
}
