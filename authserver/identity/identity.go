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
	AuthTime      time.Time
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
}

// Redirect is a provider that signs users in on pages of its own.
type Redirect interface {
	// Begin returns where to send the browser and what to keep for Finish.
	Begin(ctx context.Context, callbackURL string) (upstream string, login Login, err error)
	// Finish checks the provider's answer. It fails with ErrUpstream.
	Finish(ctx context.Context, callbackURL string, login Login, answer url.Values) (Assertion, error)
}
