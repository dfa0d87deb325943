// Package identity signs people in. A provider returns an Assertion, which is
// what somebody upstream says of a user; Admit, the one door behind all of them,
// applies the organisation, e-mail domain and verified-e-mail rules and makes a
// store.User of it. No provider admits anybody by itself.
package identity

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// Errors that the sign-in page acts on. Both are safe to show in our own words;
// neither tells whether a user exists.
var (
	// ErrCredentials says that the user name or the password is wrong.
	ErrCredentials = errors.New("the user name or the password is wrong")
	// ErrNotAdmitted says that the user proved who they are and may not come in.
	ErrNotAdmitted = errors.New("this account may not sign in here")
	// ErrUpstream says that the provider failed or answered with an error.
	ErrUpstream = errors.New("the identity provider did not complete the sign-in")
)

// Assertion is what a provider says of a user.
type Assertion struct {
	// Provider is the catalog's name of it.
	Provider string
	// Subject is unique and stable within the provider.
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
	Groups        []string
	// AuthTime is when the user proved who they are; zero where the provider does
	// not say.
	AuthTime time.Time
	// ACR is the authentication context class that the provider stated.
	ACR string
}

// Wish is how a request wants its user to sign in (OpenID Connect Core §3.1.2.1).
// The zero value leaves it to the provider.
type Wish struct {
	// Login asks for the credentials even of somebody who has signed in, and
	// SelectAccount for the account.
	Login         bool `json:"login,omitempty"`
	SelectAccount bool `json:"select,omitempty"`
	// MaxAge is how long ago the user may have proved who they are; nil means any.
	MaxAge *time.Duration `json:"maxAge,omitempty"`
	// Hint is the account that the request expects, and ACRValues the authentication
	// context classes that it prefers, separated by spaces; both may be empty.
	Hint      string `json:"hint,omitempty"`
	ACRValues string `json:"acr,omitempty"`
}

// Password is a provider whose users type a password on our own page.
type Password interface {
	// Authenticate fails with ErrCredentials, in the same time whether or not the
	// user exists.
	Authenticate(ctx context.Context, username, password string) (Assertion, error)
}

// Login is one sign-in at an upstream provider; the browser keeps it, sealed,
// until it comes back.
type Login struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	// MaxAge is the wish's: the answer has to say that it was kept.
	MaxAge *time.Duration `json:"maxAge,omitempty"`
}

// Redirect is a provider that signs users in on pages of its own.
type Redirect interface {
	// Begin returns where to send the browser and what to keep for Finish.
	Begin(ctx context.Context, callbackURL string, wish Wish) (upstream string, login Login, err error)
	// Finish checks the provider's answer. It fails with ErrUpstream.
	Finish(ctx context.Context, callbackURL string, login Login, answer url.Values) (Assertion, error)
}
