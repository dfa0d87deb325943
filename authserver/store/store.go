// Package store keeps what requests create: registrations of clients, pushed
// requests, codes, grants and their revocations, sessions and remembered consents,
// and what replicas have to count together. Wishes are in the catalog and keys in
// the ring; neither is here.
//
// The guarantee is in the verb: RedeemCode gives a code's grant to exactly one
// caller, RotateRefresh advances a grant by exactly one generation, UseOnce is true
// once, however many callers in however many processes try at once and whenever
// one of them dies. Each is decided by one conditional statement. No code, token or secret is
// stored, only hashes of them; refresh tokens are derived from a grant's id and
// generation, so a rotation has nothing to keep and repeats to the same successor.
//
// There is one implementation, on SQL; OpenSQLite and OpenPostgreSQL make it.
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
	// ErrQuota says that no more registrations may be kept.
	ErrQuota = errors.New("there are as many registrations as may be kept")
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
	// JWKS is the client's public key set as JSON, or JWKSURI where it publishes
	// one; both are empty where it does not sign.
	JWKS    string
	JWKSURI string
	// RequirePushedRequests and RequireDPoP are what the client demands of itself.
	RequirePushedRequests bool
	RequireDPoP           bool
	// Secret is the zero Hash for clients without one.
	Secret credential.Hash
	// Token is the hash of the registration access token (RFC 7592).
	Token   credential.Hash
	Created time.Time
	// Expires is when the registration is forgotten; zero means never. The first
	// use puts it behind the end of what was granted.
	Expires time.Time
}

// Quota bounds the registrations that are kept. Zero means no bound.
type Quota struct {
	// Total is over all registrations, and Resource over those of the new one's
	// resource.
	Total, Resource int
}

// User is who granted, as the identity provider asserted it at sign-in.
type User struct {
	// Subject is unique within the authorization server: it names the provider too.
	Subject      string
	Email        string
	Organization string
	Groups       []string
	Provider     string
	// AuthTime is when the user proved who they are; zero where nobody said.
	AuthTime time.Time
	// ACR is the authentication context class that the provider stated; empty where
	// it stated none.
	ACR string
}

// Grant is what a user let a client do. Its refresh tokens form one family,
// numbered by Generation.
type Grant struct {
	ID       string
	ClientID string
	User     User
	// Resources are those that were granted on, never empty; the first is meant where
	// a token request names none.
	Resources []oauth.ResourceID
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
	// Nonce is the authorization request's, for the ID token.
	Nonce string
	// KeyThumbprint is the request's dpop_jkt (RFC 9449 §10); empty where it had none.
	KeyThumbprint string
	Expires       time.Time
	// Grant begins to exist when the code is redeemed.
	Grant Grant
	// Spent says that it was redeemed before.
	Spent bool
}

// Registrations keeps the clients that registered themselves.
type Registrations interface {
	// CreateRegistration fails with ErrExists where the id is taken, and with ErrQuota
	// where there would be more than q allows, counted over all replicas. To make
	// room it first forgets the oldest registrations that were never used and are
	// older than an hour.
	CreateRegistration(ctx context.Context, r Registration, q Quota) error
	// Registration fails with ErrNotFound, also for one that has expired at now.
	Registration(ctx context.Context, clientID string, now time.Time) (Registration, error)
	// UpdateRegistration replaces what a client may change of itself: everything but
	// ClientID, Resource, Created and Expires. It fails with ErrNotFound.
	UpdateRegistration(ctx context.Context, r Registration) error
	// DeleteRegistration forgets the client and revokes its grants, all or nothing.
	// It fails with ErrNotFound.
	DeleteRegistration(ctx context.Context, clientID string, now time.Time) error
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
	// RevokeGrant ends a grant and tells Revocations of it, both or neither. Revoking
	// an unknown or revoked one is no error.
	RevokeGrant(ctx context.Context, id string, now time.Time) error
	// RevokeGrants ends all living grants of a user to a client, as RevokeGrant does,
	// and returns their ids. Codes that were not redeemed yet are spent with them.
	RevokeGrants(ctx context.Context, subject, clientID string, now time.Time) ([]string, error)
	// GrantsOf returns at most limit living grants of a user, the newest first.
	GrantsOf(ctx context.Context, subject string, now time.Time, limit int) ([]Grant, error)
}

// Revocation is a grant, or a token without a grant, that ended before its time.
type Revocation struct {
	// Sequence numbers revocations in the order in which they became visible: once
	// one has been read, no smaller one appears any more.
	Sequence int64
	// ID is a grant's id or a token's "jti".
	ID string
	// Expires is when no token that it concerns can be valid any more.
	Expires time.Time
}

// Revocations tells of what ended.
type Revocations interface {
	// RevokeToken ends a token that belongs to no grant, by its "jti".
	RevokeToken(ctx context.Context, id string, expires time.Time) error
	// Revoked reports whether the id, of a grant or a token, was revoked and the
	// revocation is still kept.
	Revoked(ctx context.Context, id string) (bool, error)
	// Revocations returns at most limit revocations behind the sequence number that
	// have not expired at now, in order.
	Revocations(ctx context.Context, after int64, now time.Time, limit int) ([]Revocation, error)
	// LastRevocation is the newest sequence number, 0 where there has been none. It
	// costs one indexed look-up.
	LastRevocation(ctx context.Context) (int64, error)
}

// PushedRequest is an authorization request that its client sent ahead (RFC 9126).
type PushedRequest struct {
	Hash     credential.Hash
	ClientID string
	// Issuer is where it was pushed and alone can be used.
	Issuer string
	// Parameters is form-encoded.
	Parameters string
	Expires    time.Time
}

// PushedRequests keeps them until they are used.
type PushedRequests interface {
	CreatePushedRequest(ctx context.Context, p PushedRequest) error
	// TakePushedRequest returns and forgets a request: one caller gets it. It fails
	// with ErrNotFound, also for one that has expired at now.
	TakePushedRequest(ctx context.Context, hash credential.Hash, now time.Time) (PushedRequest, error)
}

// Session is a browser in which somebody has signed in.
type Session struct {
	// Hash is of the browser's session cookie.
	Hash    credential.Hash
	User    User
	Created time.Time
	Expires time.Time
}

// Sessions keeps who has signed in.
type Sessions interface {
	CreateSession(ctx context.Context, s Session) error
	// Session fails with ErrNotFound, also for one that has expired at now.
	Session(ctx context.Context, hash credential.Hash, now time.Time) (Session, error)
	// DeleteSession signs out. An unknown session is no error.
	DeleteSession(ctx context.Context, hash credential.Hash) error
}

// Consent is what a user let a client ask for without being asked again.
type Consent struct {
	Subject  string
	ClientID string
	Resource oauth.ResourceID
	// RedirectHost is where the answer went.
	RedirectHost string
	Scope        oauth.ScopeSet
	Given        time.Time
	Expires      time.Time
}

// Consents keeps what users have agreed to.
type Consents interface {
	// SaveConsent replaces the consent of the same user, client, resource and
	// redirect host.
	SaveConsent(ctx context.Context, c Consent) error
	// Consent fails with ErrNotFound, also for one that has expired at now.
	Consent(ctx context.Context, subject, clientID string, resource oauth.ResourceID, redirectHost string, now time.Time) (Consent, error)
	// ConsentsOf returns at most limit consents of a user, the newest first.
	ConsentsOf(ctx context.Context, subject string, now time.Time, limit int) ([]Consent, error)
	// DeleteConsents forgets all that a user let a client do.
	DeleteConsents(ctx context.Context, subject, clientID string) error
}

// Rate is a token bucket: one token every Every, at most Burst of them.
type Rate struct {
	Every time.Duration
	Burst int
}

// Counters is what replicas count together.
type Counters interface {
	// UseOnce reports whether key is used for the first time; until expires every
	// other use is told so, in whatever process.
	UseOnce(ctx context.Context, key credential.Hash, expires time.Time) (bool, error)
	// Take takes a token out of the key's bucket and reports whether there was one.
	// A bucket that was never used is full. A refusal changes nothing.
	Take(ctx context.Context, key credential.Hash, rate Rate, now time.Time) (bool, error)
	// Refill fills the key's bucket.
	Refill(ctx context.Context, key credential.Hash) error
}

// Store is everything that the authorization server keeps. It is safe for
// concurrent use, also from several processes where the database is. Times are
// kept to the millisecond and come back in UTC; an empty list comes back nil.
type Store interface {
	Registrations
	PushedRequests
	Grants
	Revocations
	Sessions
	Consents
	Counters
	// DeleteExpired removes at most limit rows that nobody can need any more and
	// returns how many there were. It runs in the background.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	Close() error
}
