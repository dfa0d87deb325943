package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func TestADatabaseOfTheFirstVersionIsUpgradedWithItsRows(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		now := firstVersion(t, goose.DialectSQLite3, db)
		s, err := OpenSQLite(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wantFirstVersionsRows(t, s, now)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := postgrestest.Start(t)
		config, err := parseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		now := firstVersion(t, goose.DialectPostgres, stdlib.OpenDB(*config))
		s, err := OpenPostgreSQL(t.Context(), PostgreSQLConfig{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wantFirstVersionsRows(t, s, now)
	})
}

// firstVersion makes the schema of the first version, with a registration, an
// unspent code and a revoked, an idle and a living grant, and closes the database.
func firstVersion(t *testing.T, dialect goose.Dialect, db *sql.DB) (now time.Time) {
	t.Helper()
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	now = time.Now().UTC().Truncate(time.Millisecond)
	day := int64(24 * time.Hour / time.Millisecond)
	at := now.UnixMilli()
	const columns = `grant_id, client_id, resource, issuer, scope, created_at, refreshable, generation, idle_expires_at, max_expires_at,
		user_subject, user_email, user_organization, user_groups, user_provider, user_auth_time`
	const values = `'agent', 'apps-"quoted"\todo', 'https://auth.example.com', '["todo:read"]', $1, 1, 2, $2, $3, 'people|alice', '', '', '[]', 'people', $1`
	insert(t, db, `INSERT INTO registrations (client_id, resource, name, redirect_uris, grant_types, auth_method, secret_hash, created_at)
		VALUES ('mcpc_old', 'apps-todo', 'old', '["https://example.com/cb"]', '["authorization_code"]', 'none', '', $1)`, at)
	insert(t, db, `INSERT INTO codes (code_hash, redirect_uri, redirect_uri_sent, challenge, expires_at, `+columns+`)
		VALUES ($4, 'https://example.com/cb', 1, 'c', $2, 'of-code', `+values+`)`, at, at+30*day, at+365*day, credential.HashOf("code").String())
	for id, row := range map[string]struct{ idle, revoked int64 }{
		"living": {at + 30*day, 0}, "revoked": {at + 30*day, at}, "idle": {at - 2*day, 0},
	} {
		insert(t, db, `INSERT INTO grants (grant_id, revoked_at, `+columns[len("grant_id, "):]+`) VALUES ($4, $5, `+values+`)`,
			at, row.idle, at+365*day, id, row.revoked)
	}
	return now
}

func insert(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func wantFirstVersionsRows(t *testing.T, s Store, now time.Time) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	want := Registration{
		ClientID: "mcpc_old", Resource: "apps-todo", Name: "old", RedirectURIs: []string{"https://example.com/cb"},
		GrantTypes: []string{"authorization_code"}, AuthMethod: "none", Created: now,
	}
	got, err := s.Registration(ctx, "mcpc_old", now.Add(1000*24*time.Hour))
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b credential.Hash) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("the registration (-want +got): %v\n%s", err, diff)
	}
	// Nobody knows that it was never used, so it makes no room.
	err = s.CreateRegistration(ctx, Registration{ClientID: "mcpc_new", Created: now.Add(48 * time.Hour)}, Quota{Total: 1})
	if !errors.Is(err, ErrQuota) {
		t.Errorf("CreateRegistration: got error %v, want %v", err, ErrQuota)
	}
	redeemed, err := s.RedeemCode(ctx, credential.HashOf("code"), now)
	if err != nil {
		t.Fatalf("RedeemCode: %v", err)
	}
	living, err := s.Grant(ctx, "living", now)
	if err != nil {
		t.Fatalf("Grant: %v", err)
	}
	for _, g := range []Grant{redeemed, living} {
		if diff := cmp.Diff([]oauth.ResourceID{`apps-"quoted"\todo`}, g.Resources); diff != "" {
			t.Errorf("the resources of %s (-want +got):\n%s", g.ID, diff)
		}
	}
	if _, err := s.RotateRefresh(ctx, Rotation{GrantID: "living", Generation: 2, Now: now, IdleExpires: now.Add(30 * 24 * time.Hour)}); err != nil {
		t.Errorf("RotateRefresh: %v", err)
	}
	if _, err := s.Grant(ctx, "revoked", now); !errors.Is(err, ErrRevoked) {
		t.Errorf("Grant of the revoked one: %v", err)
	}
	if n, err := s.DeleteExpired(ctx, now.Add(time.Hour), 100); err != nil || n != 1 {
		t.Errorf("cleaning deleted %d (%v), want the idle grant", n, err)
	}
	if n, err := s.DeleteExpired(ctx, now.Add(25*time.Hour), 100); err != nil || n != 1 {
		t.Errorf("cleaning a day later deleted %d (%v), want the revoked grant", n, err)
	}
}
