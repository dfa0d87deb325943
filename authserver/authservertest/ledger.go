package authservertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// Writes counts what a server has changed in its store; attempts that changed
// nothing do not count.
type Writes struct {
	Registrations, PushedRequests, Codes, Redemptions, Rotations, Revocations int
	Sessions, Consents                                                        int
}

// Ledger is a store that counts writes. It is safe for concurrent use.
type Ledger struct {
	store.Store

	mu     sync.Mutex
	writes Writes
	newest map[string]int64 // generation, by grant
	// failure makes every verb of the store fail; nil lets them be.
	failure error
}

func newLedger(t testing.TB, kept store.Store) *Ledger {
	t.Helper()
	if kept != nil {
		return &Ledger{Store: kept, newest: make(map[string]int64)}
	}
	opened, err := openStore(t)
	if err != nil {
		t.Fatalf("open a store: %v", err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return &Ledger{Store: opened, newest: make(map[string]int64)}
}

// Writes is the count so far.
func (l *Ledger) Writes() Writes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writes
}

// Break makes every further verb fail with err; nil mends the store.
func (l *Ledger) Break(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = err
}

func (l *Ledger) broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

func (l *Ledger) count(err error, add func(*Writes)) {
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		add(&l.writes)
	}
}

// CreateRegistration implements store.Registrations.
func (l *Ledger) CreateRegistration(ctx context.Context, r store.Registration, q store.Quota) error {
	err := l.broken()
	if err == nil {
		err = l.Store.CreateRegistration(ctx, r, q)
	}
	l.count(err, func(w *Writes) { w.Registrations++ })
	return err
}

// Registration implements store.Registrations.
func (l *Ledger) Registration(ctx context.Context, clientID string, now time.Time) (store.Registration, error) {
	if err := l.broken(); err != nil {
		return store.Registration{}, err
	}
	return l.Store.Registration(ctx, clientID, now)
}

// UpdateRegistration implements store.Registrations.
func (l *Ledger) UpdateRegistration(ctx context.Context, r store.Registration) error {
	err := l.Store.UpdateRegistration(ctx, r)
	l.count(err, func(w *Writes) { w.Registrations++ })
	return err
}

// DeleteRegistration implements store.Registrations.
func (l *Ledger) DeleteRegistration(ctx context.Context, clientID string, now time.Time) error {
	err := l.Store.DeleteRegistration(ctx, clientID, now)
	l.count(err, func(w *Writes) { w.Registrations++ })
	return err
}

// CreatePushedRequest implements store.PushedRequests.
func (l *Ledger) CreatePushedRequest(ctx context.Context, p store.PushedRequest) error {
	err := l.broken()
	if err == nil {
		err = l.Store.CreatePushedRequest(ctx, p)
	}
	l.count(err, func(w *Writes) { w.PushedRequests++ })
	return err
}

// CreateSession implements store.Sessions.
func (l *Ledger) CreateSession(ctx context.Context, s store.Session) error {
	err := l.broken()
	if err == nil {
		err = l.Store.CreateSession(ctx, s)
	}
	l.count(err, func(w *Writes) { w.Sessions++ })
	return err
}

// SaveConsent implements store.Consents.
func (l *Ledger) SaveConsent(ctx context.Context, c store.Consent) error {
	err := l.broken()
	if err == nil {
		err = l.Store.SaveConsent(ctx, c)
	}
	l.count(err, func(w *Writes) { w.Consents++ })
	return err
}

// CreateCode implements store.Grants.
func (l *Ledger) CreateCode(ctx context.Context, c store.Code) error {
	err := l.broken()
	if err == nil {
		err = l.Store.CreateCode(ctx, c)
	}
	l.count(err, func(w *Writes) { w.Codes++ })
	return err
}

// RedeemCode implements store.Grants.
func (l *Ledger) RedeemCode(ctx context.Context, hash credential.Hash, now time.Time) (store.Grant, error) {
	grant, err := l.Store.RedeemCode(ctx, hash, now)
	l.count(err, func(w *Writes) { w.Redemptions++ })
	return grant, err
}

// RotateRefresh implements store.Grants. A repetition inside the grace window
// advances nothing and does not count.
func (l *Ledger) RotateRefresh(ctx context.Context, r store.Rotation) (store.Grant, error) {
	grant, err := l.Store.RotateRefresh(ctx, r)
	l.count(err, func(w *Writes) {
		if grant.Generation > l.newest[grant.ID] {
			l.newest[grant.ID] = grant.Generation
			w.Rotations++
		}
	})
	return grant, err
}

// RevokeGrant implements store.Grants.
func (l *Ledger) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	err := l.Store.RevokeGrant(ctx, id, now)
	l.count(err, func(w *Writes) { w.Revocations++ })
	return err
}

// RevokeGrants implements store.Grants.
func (l *Ledger) RevokeGrants(ctx context.Context, subject, clientID string, now time.Time) ([]string, error) {
	ended, err := l.Store.RevokeGrants(ctx, subject, clientID, now)
	l.count(err, func(w *Writes) { w.Revocations += len(ended) })
	return ended, err
}

// RevokeToken implements store.Revocations.
func (l *Ledger) RevokeToken(ctx context.Context, id string, expires time.Time) error {
	err := l.Store.RevokeToken(ctx, id, expires)
	l.count(err, func(w *Writes) { w.Revocations++ })
	return err
}
