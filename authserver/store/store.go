// Package store keeps what requests create: registrations of clients, codes and
// grants. Wishes are in the catalog and keys in the ring; neither is here.
//
// The guarantee is in the verb: RedeemCode gives a code's grant to exactly one
// caller, RotateRefresh advances a grant by exactly one generation, however many
// callers try at once and whenever the process dies. Both are single conditional
// statements. No code, token or secret is stored, only hashes of codes and
// secrets; refresh tokens are derived from a grant's id and generation, so a
// rotation has nothing to keep and repeats to the same successor.
//
// Every implementation passes storetest.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// The decisions that callers act on.
var (
	// ErrNotFound says that there is no such row, or that it has expired.
	ErrNotFound = errors.New("not found")
	// ErrSpent says that a code was redeemed before.
	ErrSpent = errors.New("the code was redeemed before")
	// ErrReused says that a refresh token came back after its grace window.
	ErrReused = errors.New("the refresh token was used before")
	// ErrRevoked says that the grant was revoked.
	ErrRevoked = errors.New("the grant was revoked")
	// ErrExists says that a registration has this id already.
	ErrExists = errors.New("it exists already")
)

// Registration is a client that registered itself (RFC 7591).
type Registration struct {
	ClientID string
	// Resource limits the client to the resource at whose endpoint it registered;
	// empty means it registered at the root and may name any resource.
	Resource     oauth.ResourceID
	Name         string
	RedirectURIs []string
	GrantTypes   []string
	AuthMethod   string
	// Secret is the zero Hash for public clients.
	Secret  credential.Hash
	Created time.Time
}

// User is who granted, as the identity provider asserted it at sign-in.
type User struct {
	// Subject is unique within the authorization server: it names the provider too.
	Subject      string
	Email        string
	Organization string
	Groups       []string
	Provider     string
	// AuthTime is when the user proved who they are.
	AuthTime time.Time
}

// Grant is what a user let a client do. Its refresh tokens form one family,
// numbered by Generation.
type Grant struct {
	ID       string
	ClientID string
	User     User
	Resource oauth.ResourceID
	// Issuer is the "iss" under which the grant began and that its tokens carry.
	Issuer  string
	Scope   oauth.ScopeSet
	Created time.Time
	// Refreshable says that the grant has refresh tokens at all.
	Refreshable bool
	// Generation is the number of the newest refresh token; the first is 1.
	Generation int64
	// IdleExpires is when the newest refresh token dies unless it is used, and
	// MaxExpires when the grant ends however much it is used.
	IdleExpires time.Time
	MaxExpires  time.Time
}

// Code is an authorization code and all that its redemption must match.
type Code struct {
	Hash        credential.Hash
	RedirectURI string
	// RedirectURISent says that the authorization request named the redirect URI,
	// so that the token request has to repeat it.
	RedirectURISent bool
	Challenge       string
	Expires         time.Time
	// Grant begins to exist when the code is redeemed.
	Grant Grant
	// Spent says that it was redeemed before.
	Spent bool
}

// Registrations keeps the clients that registered themselves.
type Registrations interface {
	// CreateRegistration fails with ErrExists where the id is taken.
	CreateRegistration(ctx context.Context, r Registration) error
	// Registration fails with ErrNotFound.
	Registration(ctx context.Context, clientID string) (Registration, error)
}

// Rotation is one use of a refresh token.
type Rotation struct {
	GrantID string
	// Generation is the presented token's.
	Generation int64
	Now        time.Time
	// Grace is how long after a rotation the token before is answered with the
	// same successor.
	Grace time.Duration
	// IdleExpires is when the successor dies unless it is used.
	IdleExpires time.Time
}

// Grants keeps codes and what they became.
type Grants interface {
	// CreateCode stores an unspent code. It refuses one that could never end: a code
	// without a hash or an expiry, a grant without an id or a MaxExpires, and a
	// refreshable one without a Generation or an IdleExpires.
	CreateCode(ctx context.Context, c Code) error
	// Code returns a code, spent or not, until it is cleaned away: ErrNotFound for
	// one that is unknown. An expired code is returned as long as it is kept, for
	// replays to be told from guesses.
	Code(ctx context.Context, hash credential.Hash) (Code, error)
	// RedeemCode spends the code and creates its grant, both or neither. It fails
	// with ErrSpent where that has happened before and with ErrNotFound for an
	// unknown or, at now, expired code.
	RedeemCode(ctx context.Context, hash credential.Hash, now time.Time) (Grant, error)
	// Grant returns a living grant: ErrNotFound for one that is unknown or has
	// ended, by its MaxExpires or, where it is refreshable, its IdleExpires;
	// ErrRevoked for one that was revoked.
	Grant(ctx context.Context, id string, now time.Time) (Grant, error)
	// RotateRefresh advances the grant from the presented generation to the next
	// and returns it so. Within the grace window the generation before the newest
	// returns the grant unchanged, whose Generation is then the same successor.
	// It fails with ErrReused for any older generation (the caller revokes the
	// grant), ErrRevoked, and ErrNotFound for an unknown or expired grant or a
	// generation that was never issued.
	RotateRefresh(ctx context.Context, r Rotation) (Grant, error)
	// RevokeGrant ends a grant. Revoking an unknown or revoked one is no error.
	RevokeGrant(ctx context.Context, id string, now time.Time) error
}

// Store is everything that the authorization server keeps. It is safe for
// concurrent use, also from several processes where the database is. Times are
// kept to the millisecond and come back in UTC; an empty list comes back nil.
type Store interface {
	Registrations
	Grants
	// DeleteExpired removes at most limit rows that nobody can need any more and
	// returns how many there were. It runs in the background.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	Close() error
}
