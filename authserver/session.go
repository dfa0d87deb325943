package authserver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

const sessionCookie = "mcpauth-session"

// accountSession is how long a sign-in lasts on the account page where browsers do
// not stay signed in.
const accountSession = 15 * time.Minute

// remember keeps who has signed in with this browser. Every sign-in makes a new
// session, so that one that somebody planted before is worth nothing after it.
func (s *Server) remember(w http.ResponseWriter, r *request, user store.User) error {
	lifetime := max(r.issuer.SessionLifetime(), accountSession)
	if err := s.endSession(r); err != nil {
		return err
	}
	cookie := r.issuer.newCookie(sessionCookie, credential.Random(cookieSecretBytes), lifetime)
	now := s.opts.Now()
	session := store.Session{Hash: credential.HashOf(cookie.Value), User: user, Created: now, Expires: now.Add(lifetime)}
	if err := s.opts.Store.CreateSession(r.Context(), session); err != nil {
		return fmt.Errorf("keep a session: %w", err)
	}
	http.SetCookie(w, cookie)
	return nil
}

// session is who has signed in with this browser, as the catalog knows them now;
// nil where nobody has, or where they may not any more.
func (s *Server) session(r *request) (*store.User, error) {
	secret := cookieSecret(r, sessionCookie)
	if secret == "" {
		return nil, nil
	}
	session, err := s.opts.Store.Session(r.Context(), credential.HashOf(secret), s.opts.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up a session: %w", err)
	}
	user, err := r.issuer.currentUser(session.User)
	if err != nil {
		return nil, nil //nolint:nilerr // who may not sign in any more has not signed in
	}
	return &user, nil
}

// signedIn is who need not sign in again for an authorization with this wish, and,
// where a hint named somebody, for them alone.
func (s *Server) signedIn(r *request, wish identity.Wish, hinted string) (*store.User, error) {
	if r.issuer.SessionLifetime() <= 0 || wish.Login || wish.SelectAccount {
		return nil, nil
	}
	user, err := s.session(r)
	if err != nil || user == nil || hinted != "" && user.Subject != hinted {
		return nil, err
	}
	// Of somebody whose provider did not say when, nobody knows how long it is ago.
	if wish.MaxAge != nil && (user.AuthTime.IsZero() || s.opts.Now().Sub(user.AuthTime) > *wish.MaxAge) {
		return nil, nil
	}
	if wish.ACRValues != "" && !slices.Contains(strings.Fields(wish.ACRValues), user.ACR) {
		return nil, nil
	}
	return user, nil
}

// endSession signs this browser out.
func (s *Server) endSession(r *request) error {
	secret := cookieSecret(r, sessionCookie)
	if secret == "" {
		return nil
	}
	if err := s.opts.Store.DeleteSession(r.Context(), credential.HashOf(secret)); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// stillSignedIn reports whether whoever is on the journey has not signed out
// since, or somebody else in: approval is theirs alone.
func (s *Server) stillSignedIn(r *request, g *stage) (bool, error) {
	if g.User == nil {
		return true, nil
	}
	user, err := s.session(r)
	return user != nil && user.Subject == g.User.Subject, err
}
