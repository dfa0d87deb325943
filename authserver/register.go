package authserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// maxRegistrationSize bounds a registration request, in bytes.
const maxRegistrationSize = 1 << 20

// registrationResponse tells the client what it has become (RFC 7591 §3.2.1):
// what was really registered, which may be less than it asked for, and how to
// manage it (RFC 7592 §3).
type registrationResponse struct {
	ClientID              string          `json:"client_id"`
	ClientSecret          string          `json:"client_secret,omitempty"`
	ClientIDIssuedAt      int64           `json:"client_id_issued_at"`
	ClientSecretExpiresAt *int64          `json:"client_secret_expires_at,omitempty"`
	ClientName            string          `json:"client_name,omitempty"`
	RedirectURIs          []string        `json:"redirect_uris"`
	GrantTypes            []string        `json:"grant_types"`
	ResponseTypes         []string        `json:"response_types"`
	AuthMethod            string          `json:"token_endpoint_auth_method"`
	JWKS                  json.RawMessage `json:"jwks,omitempty"`
	JWKSURI               string          `json:"jwks_uri,omitempty"`
	RequirePushedRequests bool            `json:"require_pushed_authorization_requests,omitempty"`
	RequireDPoP           bool            `json:"dpop_bound_access_tokens,omitempty"`
	RegistrationToken     string          `json:"registration_access_token,omitempty"`
	RegistrationURI       string          `json:"registration_client_uri"`
}

// register is the client registration endpoint (RFC 7591 §3). Below a resource
// it makes a client for that resource alone.
func (s *Server) register(w http.ResponseWriter, r *request) {
	made, err := s.newRegistration(w, r)
	if err == nil {
		err = s.opts.Store.CreateRegistration(r.Context(), made.Registration, r.issuer.quota())
	}
	if errors.Is(err, store.ErrQuota) {
		w.Header().Set("Retry-After", "3600")
		err = oauth.Errorf(oauth.TemporarilyUnavailable, "as many clients have registered as this server keeps; try again later, or ask its operators for an OAuthClient").WithCause(err)
	}
	if err != nil {
		s.writeError(w, r.Request, err)
		return
	}
	s.auditRegistration(r, eventClientRegistered, made.ClientID)
	s.writeJSON(w, r.Request, http.StatusCreated, r.issuer.describe(made))
}

func (s *Server) auditRegistration(r *request, event, clientID string) {
	e := audit.Event{Type: event, Decision: audit.Allowed, Client: clientID}
	if r.issuer.resource != nil {
		e.Resource = r.issuer.resource.URL
	}
	s.record(r.Request, e)
}

// credentialed is a registration with those of its credentials that were made just
// now; the others are not known any more.
type credentialed struct {
	store.Registration
	secret, token string
}

// quota is how many registrations are kept.
func (i issuer) quota() store.Quota {
	q := store.Quota{Total: i.Registration().MaxClients}
	if i.resource != nil && i.resource.Registration != nil {
		q.Resource = i.resource.Registration.MaxClients
	}
	return q
}

// newRegistration asks whether this client may come, and makes it.
func (s *Server) newRegistration(w http.ResponseWriter, r *request) (credentialed, error) {
	if err := mayRegister(r.issuer); err != nil {
		return credentialed{}, err
	}
	if err := s.throttle(w, r, take{s.limits.registrations, s.limitKey(r.Request)}, take{s.limits.allRegistrations, ""}); err != nil {
		return credentialed{}, err
	}
	registration, err := s.wished(w, r)
	if err != nil {
		return credentialed{}, err
	}
	now := s.opts.Now()
	registration.ClientID = store.RegistrationPrefix + credential.Random(16)
	registration.Resource = r.issuer.resourceID()
	registration.Created = now
	if unused := r.issuer.Registration().UnusedLifetime; unused > 0 {
		registration.Expires = now.Add(unused)
	}
	made := credentialed{Registration: registration, token: "mcpreg_" + credential.Random(32)}
	made.Token = credential.HashOf(made.token)
	made.giveSecret()
	return made, nil
}

// mayRegister says whether clients may register themselves here.
func mayRegister(i issuer) error {
	if !i.takesRegistrations() {
		return oauth.Errorf(oauth.AccessDenied, "this server registers no clients by itself; ask its operators for an OAuthClient")
	}
	return nil
}

// giveSecret makes a secret where the client needs one and has none.
func (c *credentialed) giveSecret() {
	switch {
	case c.AuthMethod != oauth.AuthMethodClientSecretBasic && c.AuthMethod != oauth.AuthMethodClientSecretPost:
		c.Secret = credential.Hash{}
	case c.Secret == credential.Hash{}:
		c.secret = credential.NewSecret()
		c.Secret = credential.HashOf(c.secret)
	}
}

// wished reads what the client asks for and grants what may be granted of it.
func (s *Server) wished(w http.ResponseWriter, r *request) (store.Registration, error) {
	wish, err := readWish(w, r.Request)
	if err != nil {
		return store.Registration{}, err
	}
	return wish.grant(r.issuer.registrationPolicies())
}

// registrationPolicies are those of the server and, below it, the resource: all of
// them must allow a client.
func (i issuer) registrationPolicies() []*catalog.Registration {
	policies := []*catalog.Registration{i.Registration()}
	if i.resource != nil && i.resource.Registration != nil {
		policies = append(policies, i.resource.Registration)
	}
	return policies
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

func (i issuer) describe(c credentialed) registrationResponse {
	response := registrationResponse{
		ClientID: c.ClientID, ClientSecret: c.secret, ClientIDIssuedAt: c.Created.Unix(),
		ClientName: c.Name, RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes,
		ResponseTypes: []string{"code"}, AuthMethod: c.AuthMethod, JWKS: json.RawMessage(c.JWKS), JWKSURI: c.JWKSURI,
		RequirePushedRequests: c.RequirePushedRequests, RequireDPoP: c.RequireDPoP,
		RegistrationToken: c.token, RegistrationURI: i.endpoint(registrationPath + c.ClientID),
	}
	if c.secret != "" {
		response.ClientSecretExpiresAt = new(int64) // 0: it does not expire
	}
	return response
}
