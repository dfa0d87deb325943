package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	insertCode = `INSERT INTO codes (code_hash, redirect_uri, redirect_uri_sent, challenge, expires_at, ` + grantColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`
	selectCode = `SELECT code_hash, redirect_uri, redirect_uri_sent, challenge, expires_at, spent_at > 0, ` + grantColumns + `
		FROM codes WHERE code_hash = $1`
	// Whoever finds the code unspent spends it, in one statement: no two can.
	spendCode = `UPDATE codes SET spent_at = $1 WHERE code_hash = $2 AND spent_at = 0 AND expires_at > $1
		RETURNING ` + grantColumns
	insertGrant = `INSERT INTO grants (` + grantColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
)

// CreateCode implements Grants.
func (s *sqlStore) CreateCode(ctx context.Context, c Code) error {
	if err := validCode(&c); err != nil {
		return fmt.Errorf("store a code: %w", err)
	}
	values := append([]any{c.Hash.String(), c.RedirectURI, flag(c.RedirectURISent), c.Challenge, millis(c.Expires)},
		grantValues(&c.Grant)...)
	if _, err := s.writer.ExecContext(ctx, insertCode, values...); err != nil {
		return fmt.Errorf("store a code: %w", err)
	}
	return nil
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
	targets := append([]any{(*hashColumn)(&c.Hash), &c.RedirectURI, &c.RedirectURISent, &c.Challenge, (*timeColumn)(&c.Expires), &c.Spent},
		grantTargets(&c.Grant)...)
	err := s.reader.QueryRowContext(ctx, selectCode, hash.String()).Scan(targets...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Code{}, ErrNotFound
	case err != nil:
		return Code{}, fmt.Errorf("read a code: %w", err)
	}
	return c, nil
}

// RedeemCode implements Grants.
func (s *sqlStore) RedeemCode(ctx context.Context, hash credential.Hash, now time.Time) (Grant, error) {
	grant, err := s.spend(ctx, hash, now)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Grant{}, s.whyNotRedeemed(ctx, hash)
	case err != nil:
		return Grant{}, fmt.Errorf("redeem a code: %w", err)
	}
	return grant, nil
}

// spend fails with sql.ErrNoRows where there is no unspent, unexpired code.
func (s *sqlStore) spend(ctx context.Context, hash credential.Hash, now time.Time) (Grant, error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return Grant{}, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	var grant Grant
	if err := tx.QueryRowContext(ctx, spendCode, millis(now), hash.String()).Scan(grantTargets(&grant)...); err != nil {
		return Grant{}, err
	}
	if _, err := tx.ExecContext(ctx, insertGrant, grantValues(&grant)...); err != nil {
		return Grant{}, err
	}
	return grant, tx.Commit()
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
