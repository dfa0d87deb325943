package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	insertCode = `INSERT INTO codes (code_hash, redirect_uri, redirect_uri_sent, challenge, nonce, dpop_jkt, expires_at, ` + grantColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`
	selectCode = `SELECT code_hash, redirect_uri, redirect_uri_sent, challenge, nonce, dpop_jkt, expires_at, spent_at > 0, ` + grantColumns + `
		FROM codes WHERE code_hash = $1`
	// Whoever finds the code unspent spends it, in one statement: no two can.
	spendCode = `UPDATE codes SET spent_at = $1 WHERE code_hash = $2 AND spent_at = 0 AND expires_at > $1
		RETURNING ` + grantColumns
)

// CreateCode implements Grants.
func (s *sqlStore) CreateCode(ctx context.Context, c Code) error {
	if err := validCode(&c); err != nil {
		return fmt.Errorf("store a code: %w", err)
	}
	values := append([]any{c.Hash.String(), c.RedirectURI, flag(c.RedirectURISent), c.Challenge, c.Nonce, c.KeyThumbprint, millis(c.Expires)},
		grantValues(&c.Grant)...)
	_, err := s.execute(ctx, "store a code", insertCode, values...)
	return err
}

// validCode refuses what could never be redeemed, refreshed or cleaned away.
func validCode(c *Code) error {
	switch g := &c.Grant; {
	case c.Hash == credential.Hash{}:
		return errors.New("it has no hash")
	case c.Expires.IsZero(), g.MaxExpires.IsZero():
		return errors.New("it, or its grant, never expires")
	case g.ID == "":
		return errors.New("its grant has no id")
	case g.Refreshable && (g.Generation < 1 || g.IdleExpires.IsZero()):
		return errors.New("its grant is refreshable and has no first generation, or no idle expiry")
	}
	return nil
}

// Code implements Grants.
func (s *sqlStore) Code(ctx context.Context, hash credential.Hash) (Code, error) {
	var c Code
	targets := append([]any{(*hashColumn)(&c.Hash), &c.RedirectURI, &c.RedirectURISent, &c.Challenge, &c.Nonce, &c.KeyThumbprint,
		(*timeColumn)(&c.Expires), &c.Spent}, grantTargets(&c.Grant)...)
	if err := s.find(ctx, "a code", selectCode, []any{hash.String()}, targets); err != nil {
		return Code{}, err
	}
	return c, nil
}

// RedeemCode implements Grants.
func (s *sqlStore) RedeemCode(ctx context.Context, hash credential.Hash, now time.Time) (Grant, error) {
	var grant Grant
	var redeemed bool
	err := s.db.change(ctx, func(ctx context.Context, q statements) (err error) {
		grant, redeemed, err = s.db.redeem(ctx, q, hash.String(), millis(now))
		return err
	})
	switch {
	case err != nil:
		return Grant{}, fmt.Errorf("redeem a code: %w", err)
	case !redeemed:
		return Grant{}, s.whyNotRedeemed(ctx, hash)
	}
	return grant, nil
}

func (s *sqlStore) whyNotRedeemed(ctx context.Context, hash credential.Hash) error {
	code, err := s.Code(ctx, hash)
	switch {
	case err != nil:
		return err
	case code.Spent:
		return ErrSpent
	}
	return ErrNotFound
}
