package authserver

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// maxRegistrationSize bounds a registration request, in bytes.
const maxRegistrationSize = 1 << 20

// registrationResponse tells the client what it has become (RFC 7591 §3.2.1):
// what was really registered, which may be less than it asked for.
type registrationResponse struct {
	ClientID              string   `json:"client_id"`
	ClientSecret          string   `json:"client_secret,omitempty"`
	ClientIDIssuedAt      int64    `json:"client_id_issued_at"`
	ClientSecretExpiresAt *int64   `json:"client_secret_expires_at,omitempty"`
	ClientName            string   `json:"client_name,omitempty"`
	RedirectURIs          []string `json:"redirect_uris"`
	GrantTypes            []string `json:"grant_types"`
	ResponseTypes         []string `json:"response_types"`
	AuthMethod            string   `json:"token_endpoint_auth_method"`
}

// register is the client registration endpoint (RFC 7591 §3). Below a resource
// it makes a client for that resource alone.
func (s *Server) register(w http.ResponseWriter, r *request) {
	registration, secret, err := s.newRegistration(w, r)
	if err == nil {
		err = s.opts.Store.CreateRegistration(r.Context(), registration)
	}
	if err != nil {
		s.writeError(w, r.Request, err)
		return
	}
	e := audit.Event{Type: eventClientRegistered, Decision: audit.Allowed, Client: registration.ClientID}
	if r.issuer.resource != nil {
		e.Resource = r.issuer.resource.URL
	}
	s.record(r.Request, e)
	s.writeJSON(w, r.Request, http.StatusCreated, describe(registration, secret))
}

// newRegistration asks whether this client may come, and makes it.
func (s *Server) newRegistration(w http.ResponseWriter, r *request) (store.Registration, string, error) {
	policy := r.issuer.Registration()
	if !policy.Dynamic {
		return store.Registration{}, "", oauth.Errorf(oauth.AccessDenied, "this server registers no clients by itself; ask its operators for an OAuthClient")
	}
	if !s.limits.registrations.allow(s.limitKey(r.Request), s.opts.Now()) || !s.limits.allRegistrations.allow("", s.opts.Now()) {
		w.Header().Set("Retry-After", "60")
		return store.Registration{}, "", oauth.Errorf(oauth.TemporarilyUnavailable, "too many registrations; try again in a minute").
			WithStatus(http.StatusTooManyRequests)
	}
	wish, err := readWish(w, r.Request)
	if err != nil {
		return store.Registration{}, "", err
	}
	registration, err := wish.grant(policy)
	if err != nil {
		return store.Registration{}, "", err
	}
	registration.ClientID = "mcpc_" + credential.Random(16)
	registration.Resource = r.issuer.resourceID()
	registration.Created = s.opts.Now()
	if registration.AuthMethod == oauth.AuthMethodNone {
		return registration, "", nil
	}
	secret := credential.NewSecret()
	registration.Secret = credential.HashOf(secret)
	return registration, secret, nil
}

func readWish(w http.ResponseWriter, r *http.Request) (*registrationWish, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, oauth.Errorf(oauth.InvalidClientMetadata, "the Content-Type must be application/json")
	}
	body, err := readBody(w, r, maxRegistrationSize)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidClientMetadata, "the registration could not be read: it must be plain and at most %d KiB", maxRegistrationSize>>10).
			WithCause(err)
	}
	wish, err := parseWish(body)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidClientMetadata, "the registration is not a JSON object of RFC 7591's shape").
			WithCause(fmt.Errorf("read a registration: %w", err))
	}
	return wish, nil
}

func describe(g store.Registration, secret string) registrationResponse {
	response := registrationResponse{
		ClientID: g.ClientID, ClientSecret: secret, ClientIDIssuedAt: g.Created.Unix(),
		ClientName: g.Name, RedirectURIs: g.RedirectURIs, GrantTypes: g.GrantTypes,
		ResponseTypes: []string{"code"}, AuthMethod: g.AuthMethod,
	}
	if secret != "" {
		response.ClientSecretExpiresAt = new(int64) // 0: it does not expire
	}
	return response
}
