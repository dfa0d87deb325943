package storetest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// replicas is several stores on one database, each call to the next of them.
type replicas struct {
	stores []store.Store
	calls  atomic.Uint64
}

var _ store.Store = (*replicas)(nil)

func (r *replicas) next() store.Store {
	return r.stores[r.calls.Add(1)%uint64(len(r.stores))]
}

func (r *replicas) CreateRegistration(ctx context.Context, g store.Registration, q store.Quota) error {
	return r.next().CreateRegistration(ctx, g, q)
}

func (r *replicas) Registration(ctx context.Context, clientID string, now time.Time) (store.Registration, error) {
	return r.next().Registration(ctx, clientID, now)
}

func (r *replicas) UpdateRegistration(ctx context.Context, g store.Registration) error {
	return r.next().UpdateRegistration(ctx, g)
}

func (r *replicas) DeleteRegistration(ctx context.Context, clientID string, now time.Time) error {
	return r.next().DeleteRegistration(ctx, clientID, now)
}

func (r *replicas) CreatePushedRequest(ctx context.Context, p store.PushedRequest) error {
	return r.next().CreatePushedRequest(ctx, p)
}

func (r *replicas) TakePushedRequest(ctx context.Context, hash credential.Hash, now time.Time) (store.PushedRequest, error) {
	return r.next().TakePushedRequest(ctx, hash, now)
}

func (r *replicas) CreateCode(ctx context.Context, c store.Code) error {
	return r.next().CreateCode(ctx, c)
}

func (r *replicas) Code(ctx context.Context, hash credential.Hash) (store.Code, error) {
	return r.next().Code(ctx, hash)
}

func (r *replicas) RedeemCode(ctx context.Context, hash credential.Hash, now time.Time) (store.Grant, error) {
	return r.next().RedeemCode(ctx, hash, now)
}

func (r *replicas) Grant(ctx context.Context, id string, now time.Time) (store.Grant, error) {
	return r.next().Grant(ctx, id, now)
}

func (r *replicas) RotateRefresh(ctx context.Context, rotation store.Rotation) (store.Grant, error) {
	return r.next().RotateRefresh(ctx, rotation)
}

func (r *replicas) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	return r.next().RevokeGrant(ctx, id, now)
}

func (r *replicas) RevokeGrants(ctx context.Context, subject, clientID string, now time.Time) ([]string, error) {
	return r.next().RevokeGrants(ctx, subject, clientID, now)
}

func (r *replicas) GrantsOf(ctx context.Context, subject string, now time.Time, limit int) ([]store.Grant, error) {
	return r.next().GrantsOf(ctx, subject, now, limit)
}

func (r *replicas) RevokeToken(ctx context.Context, id string, expires time.Time) error {
	return r.next().RevokeToken(ctx, id, expires)
}

func (r *replicas) Revoked(ctx context.Context, id string) (bool, error) {
	return r.next().Revoked(ctx, id)
}

func (r *replicas) Revocations(ctx context.Context, after int64, now time.Time, limit int) ([]store.Revocation, error) {
	return r.next().Revocations(ctx, after, now, limit)
}

func (r *replicas) LastRevocation(ctx context.Context) (int64, error) {
	return r.next().LastRevocation(ctx)
}

func (r *replicas) CreateSession(ctx context.Context, session store.Session) error {
	return r.next().CreateSession(ctx, session)
}

func (r *replicas) Session(ctx context.Context, hash credential.Hash, now time.Time) (store.Session, error) {
	return r.next().Session(ctx, hash, now)
}

func (r *replicas) DeleteSession(ctx context.Context, hash credential.Hash) error {
	return r.next().DeleteSession(ctx, hash)
}

func (r *replicas) SaveConsent(ctx context.Context, c store.Consent) error {
	return r.next().SaveConsent(ctx, c)
}

func (r *replicas) Consent(ctx context.Context, subject, clientID string, resource oauth.ResourceID, redirectHost string, now time.Time) (store.Consent, error) {
	return r.next().Consent(ctx, subject, clientID, resource, redirectHost, now)
}

func (r *replicas) ConsentsOf(ctx context.Context, subject string, now time.Time, limit int) ([]store.Consent, error) {
	return r.next().ConsentsOf(ctx, subject, now, limit)
}

func (r *replicas) DeleteConsents(ctx context.Context, subject, clientID string) error {
	return r.next().DeleteConsents(ctx, subject, clientID)
}

func (r *replicas) UseOnce(ctx context.Context, key credential.Hash, expires time.Time) (bool, error) {
	return r.next().UseOnce(ctx, key, expires)
}

func (r *replicas) Take(ctx context.Context, key credential.Hash, rate store.Rate, now time.Time) (bool, error) {
	return r.next().Take(ctx, key, rate, now)
}

func (r *replicas) Refill(ctx context.Context, key credential.Hash) error {
	return r.next().Refill(ctx, key)
}

func (r *replicas) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return r.next().DeleteExpired(ctx, now, limit)
}

func (r *replicas) Ping(ctx context.Context) error { return r.next().Ping(ctx) }

// Close closes nothing: each store has its own owner.
func (r *replicas) Close() error { return nil }
