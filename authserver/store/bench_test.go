package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// callers is how many requests the benchmarks have under way at once.
const callers = 16

// BenchmarkRedeem is what the store does for one exchange of a code: it reads the
// code and redeems it.
func BenchmarkRedeem(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, s store.Store) {
		now := time.Now()
		codes := make(chan store.Code, b.N)
		inParallel(b, b.N, func(ctx context.Context) error {
			c := benchmarkCode(now)
			codes <- c
			return s.CreateCode(ctx, c)
		})
		b.ResetTimer()
		inParallel(b, b.N, func(ctx context.Context) error {
			hash := (<-codes).Hash
			if _, err := s.Code(ctx, hash); err != nil {
				return err
			}
			_, err := s.RedeemCode(ctx, hash, now)
			return err
		})
	})
}

// BenchmarkRotate is what the store does for one refresh: it reads the grant and
// rotates it.
func BenchmarkRotate(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, s store.Store) {
		now := time.Now()
		grants := make(chan store.Grant, 1000)
		inParallel(b, cap(grants), func(ctx context.Context) error {
			c := benchmarkCode(now)
			if err := s.CreateCode(ctx, c); err != nil {
				return err
			}
			grant, err := s.RedeemCode(ctx, c.Hash, now)
			grants <- grant
			return err
		})
		b.ResetTimer()
		inParallel(b, b.N, func(ctx context.Context) error {
			grant := <-grants
			if _, err := s.Grant(ctx, grant.ID, now); err != nil {
				return err
			}
			rotated, err := s.RotateRefresh(ctx, store.Rotation{
				GrantID: grant.ID, Generation: grant.Generation, Now: now, IdleExpires: grant.IdleExpires.Add(time.Second),
			})
			grants <- rotated
			return err
		})
	})
}

func onEachDatabase(b *testing.B, run func(*testing.B, store.Store)) {
	b.Run("SQLite", func(b *testing.B) {
		s, err := store.OpenSQLite(b.Context(), store.Config{Path: filepath.Join(b.TempDir(), "store.db")})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run(b, s)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		s, err := store.OpenPostgreSQL(b.Context(), store.PostgreSQLConfig{URL: postgrestest.Start(b)})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		run(b, s)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	})
}

// inParallel makes n calls from as many callers as there are.
func inParallel(b *testing.B, n int, call func(context.Context) error) {
	b.Helper()
	turns, results := make(chan struct{}, n), make(chan error, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	for range callers {
		go func() {
			for range turns {
				results <- call(b.Context())
			}
		}()
	}
	for range n {
		if err := <-results; err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkCode(now time.Time) store.Code {
	return store.Code{
		Hash: credential.HashOf(credential.Random(32)), RedirectURI: "http://127.0.0.1:8765/callback", RedirectURISent: true,
		Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Expires: now.Add(time.Hour),
		Grant: store.Grant{
			ID: credential.Random(16), ClientID: "https://claude.ai/oauth/mcp-oauth-client-metadata",
			User: store.User{
				Subject: "people|alice", Email: "alice@example.com", Organization: "example", Groups: []string{"staff", "developers"},
				Provider: "people", AuthTime: now,
			},
			Resources: []oauth.ResourceID{"apps-todo"}, Issuer: "https://auth.example.com/resources/apps-todo",
			Scope: oauth.NewScopeSet("todo:read", "todo:write"), Created: now, Refreshable: true, Generation: 1,
			IdleExpires: now.Add(30 * 24 * time.Hour), MaxExpires: now.Add(365 * 24 * time.Hour),
		},
	}
}
