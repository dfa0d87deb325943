package authserver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
)

// manage is the client configuration endpoint (RFC 7592): who holds a
// registration's access token may read, replace and delete it. An update passes
// the same rules as a registration, so that nothing gets past them later.
func (s *Server) manage(w http.ResponseWriter, r *request) {
	kept, token, err := s.managed(r)
	if err != nil {
		s.refuseManagement(w, r, err)
		return
	}
	switch r.Method {
	case http.MethodPut:
		s.updateRegistration(w, r, kept, token)
	case http.MethodDelete:
		s.deleteRegistration(w, r, kept)
	default:
		s.writeJSON(w, r.Request, http.StatusOK, r.issuer.describe(credentialed{Registration: kept, token: token}))
	}
}

// errRegistrationToken is the one answer to every wrong token and unknown client,
// so that guessing tells nothing (RFC 7592 §2.1).
func errRegistrationToken() *oauth.Error {
	return oauth.Errorf(oauth.InvalidToken, "the registration access token is not of this client, or the client is gone")
}

// managed finds the registration that the request may manage. A client that is
// blocked manages nothing, and one that could not register any more may only go.
func (s *Server) managed(r *request) (store.Registration, string, error) {
	token, ok := bearerToken(r.Request)
	if !ok || r.issuer.Registration().Blocks(r.rest) {
		return store.Registration{}, "", errRegistrationToken()
	}
	kept, err := s.opts.Store.Registration(r.Context(), r.rest, s.opts.Now())
	if errors.Is(err, store.ErrNotFound) {
		return store.Registration{}, "", errRegistrationToken()
	}
	if err != nil {
		return store.Registration{}, "", fmt.Errorf("look up a registration: %w", err)
	}
	if !kept.Token.Matches(token) || kept.Resource != r.issuer.resourceID() {
		return store.Registration{}, "", errRegistrationToken()
	}
	if r.Method == http.MethodDelete {
		return kept, token, nil
	}
	return kept, token, mayRegister(r.issuer)
}

func bearerToken(r *http.Request) (string, bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// refuseManagement adds the challenge that a 401 has to have (RFC 6750 §3).
func (s *Server) refuseManagement(w http.ResponseWriter, r *request, err error) {
	if e := s.oauthError(r.Context(), err); e.Code == oauth.InvalidToken {
		w.Header().Set("WWW-Authenticate", oauth.Challenge{Error: e.Code, Description: e.Description}.String())
	}
	s.writeError(w, r.Request, err)
}

// updateRegistration replaces what the client says of itself (RFC 7592 §2.2). What
// it is, where it registered and how long it is kept are not its own to say.
func (s *Server) updateRegistration(w http.ResponseWriter, r *request, kept store.Registration, token string) {
	updated, err := s.updated(w, r, kept)
	if err == nil {
		err = s.opts.Store.UpdateRegistration(r.Context(), updated.Registration)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = errRegistrationToken().WithCause(err) // deleted meanwhile
	}
	if err != nil {
		s.refuseManagement(w, r, err)
		return
	}
	updated.token = token
	s.auditRegistration(r, eventClientUpdated, kept.ClientID)
	s.writeJSON(w, r.Request, http.StatusOK, r.issuer.describe(updated))
}

func (s *Server) updated(w http.ResponseWriter, r *request, kept store.Registration) (credentialed, error) {
	if err := s.throttle(w, r, take{s.limits.registrations, s.limitKey(r.Request)}); err != nil {
		return credentialed{}, err
	}
	wish, err := readWish(w, r.Request)
	if err != nil {
		return credentialed{}, err
	}
	switch {
	case wish.ClientID != kept.ClientID:
		return credentialed{}, oauth.Errorf(oauth.InvalidClientMetadata, "client_id must be repeated, and be that of the registration")
	case wish.ClientSecret != "" && !kept.Secret.Matches(wish.ClientSecret):
		return credentialed{}, oauth.Errorf(oauth.InvalidClientMetadata, "client_secret may be repeated and not be changed")
	}
	granted, err := wish.grant(r.issuer.registrationPolicies())
	if err != nil {
		return credentialed{}, err
	}
	granted.ClientID, granted.Resource = kept.ClientID, kept.Resource
	granted.Created, granted.Expires = kept.Created, kept.Expires
	granted.Secret, granted.Token = kept.Secret, kept.Token
	made := credentialed{Registration: granted}
	made.giveSecret()
	return made, nil
}

// deleteRegistration forgets the client and ends what it was granted (RFC 7592
// §2.3).
func (s *Server) deleteRegistration(w http.ResponseWriter, r *request, kept store.Registration) {
	err := s.opts.Store.DeleteRegistration(r.Context(), kept.ClientID, s.opts.Now())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.writeError(w, r.Request, fmt.Errorf("delete a registration: %w", err))
		return
	}
	s.feed.wake()
	s.auditRegistration(r, eventClientDeleted, kept.ClientID)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
