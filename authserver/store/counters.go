package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	useKey = `INSERT INTO used_keys (key_hash, expires_at) VALUES ($1, $2) ON CONFLICT (key_hash) DO NOTHING`
	// A bucket is known by when it is full again: every token moves that on by the
	// time that one takes to come ($4), from now ($3) where it was full already. There
	// is no token where it is behind $5. A refusal finds that out before it locks.
	takeToken = `INSERT INTO buckets (key_hash, full_at) SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT)
		WHERE NOT EXISTS (SELECT 1 FROM buckets WHERE key_hash = $1 AND full_at > $5)
		ON CONFLICT (key_hash) DO UPDATE SET full_at = CASE WHEN buckets.full_at > $3 THEN buckets.full_at + $4 ELSE excluded.full_at END
		WHERE buckets.full_at <= $5`
	deleteBucket = `DELETE FROM buckets WHERE key_hash = $1`
)

// UseOnce implements Counters. A key can be used again when DeleteExpired has
// removed it.
func (s *sqlStore) UseOnce(ctx context.Context, key credential.Hash, expires time.Time) (bool, error) {
	if (key == credential.Hash{} || expires.IsZero()) {
		return false, fmt.Errorf("use a key once: %w", errEndless)
	}
	used, err := s.execute(ctx, "use a key once", useKey, key.String(), millis(expires))
	return used > 0, err
}

// Take implements Counters: the generic cell rate algorithm.
func (s *sqlStore) Take(ctx context.Context, key credential.Hash, rate Rate, now time.Time) (bool, error) {
	switch {
	case key == credential.Hash{}:
		return false, fmt.Errorf("take a token: %w", errEndless)
	case rate.Burst < 1:
		return false, nil
	case rate.Every <= 0: // tokens come faster than they can be taken
		return true, nil
	}
	at, every := now.UnixMicro(), max(1, rate.Every.Microseconds())
	last := at + min(int64(rate.Burst-1), (math.MaxInt64-at)/every-1)*every
	taken, err := s.execute(ctx, "take a token", takeToken, key.String(), at+every, at, every, last)
	return taken > 0, err
}

// Refill implements Counters.
func (s *sqlStore) Refill(ctx context.Context, key credential.Hash) error {
	_, err := s.execute(ctx, "refill a bucket", deleteBucket, key.String())
	return err
}
