package authserver

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// tokenRequest is a token request on its way through the phases, each of which
// fills in what it has found.
type tokenRequest struct {
	*request
	now  time.Time
	form url.Values // phase 1

	client    *client.Client // phase 2
	grantType string         // phase 3
	grant     grant
	proved    proof             // phase 4
	resource  *catalog.Resource // phase 5
	scope     oauth.ScopeSet    // phase 6
}

// grant is what differs between the grant types: the credential that a request
// proves, and how it is spent. Everything else is a phase that all share, so
// that no grant can leave one out.
type grant interface {
	// prove checks the request's own credential. It changes nothing: a request
	// that fails here or in a later phase costs its sender nothing.
	prove(ctx context.Context, t *tokenRequest) (proof, error)
	// spend uses the credential up, exactly once, after everything else has held.
	// It returns the grant that the token belongs to, zero for a client's own.
	spend(ctx context.Context, t *tokenRequest) (store.Grant, error)
}

// proof is what a credential is worth.
type proof struct {
	// Subject is who the token will be about.
	Subject string
	// User is who granted; nil where a client acts for itself.
	User *store.User
	// Resource is what was granted on, empty where the request chooses.
	Resource oauth.ResourceID
	// Issuer is where the journey began, empty where the request is all of it.
	Issuer string
	// Scope is the most that the token may carry. It is nil where the request
	// chooses.
	Scope *oauth.ScopeSet
	// GrantID names an existing grant, for audit events.
	GrantID string
}

// grants is every grant type that the token endpoint knows.
func (s *Server) grants() map[string]grant {
	return map[string]grant{
		oauth.GrantAuthorizationCode: codeGrant{s},
		oauth.GrantRefreshToken:      refreshGrant{s},
		oauth.GrantClientCredentials: clientCredentialsGrant{},
	}
}

// token is the token endpoint (OAuth 2.1 §3.2). The phases, in their order:
//
//  1. the form is well formed
//  2. the client is who it says
//  3. the grant type exists and the client may use it
//  4. the grant's own credential is genuine
//  5. the resource is known, meant, and within the client's reach
//  6. the scope is within what was granted, the client's limit and the user's groups
//  7. the credential is spent, by one conditional statement
//  8. the token is signed
func (s *Server) token(w http.ResponseWriter, r *request) {
	t := &tokenRequest{request: r, now: s.opts.Now()}
	response, err := s.issue(w, t)
	if err != nil {
		s.auditRefused(t, err)
		s.writeError(w, r.Request, err)
		return
	}
	s.writeJSON(w, r.Request, http.StatusOK, response)
}

func (s *Server) issue(w http.ResponseWriter, t *tokenRequest) (*tokenResponse, error) {
	phases := []func(context.Context, *tokenRequest) error{
		s.authenticateClient, s.selectGrant, proveCredential, matchResource, limitScope,
	}
	var err error
	if t.form, err = readForm(w, t.Request); err == nil {
		err = onlyOnce(t.form)
	}
	if err != nil {
		return nil, err
	}
	for _, phase := range phases {
		if err := phase(t.Context(), t); err != nil {
			return nil, err
		}
	}
	granted, err := t.grant.spend(t.Context(), t)
	if err != nil {
		return nil, err
	}
	return s.sign(t, granted)
}

func (s *Server) authenticateClient(ctx context.Context, t *tokenRequest) (err error) {
	t.client, err = t.issuer.clients.Authenticate(ctx, t.Request, t.form)
	return err
}

func (s *Server) selectGrant(_ context.Context, t *tokenRequest) error {
	t.grantType = t.form.Get("grant_type")
	if t.grantType == "" {
		return oauth.Errorf(oauth.InvalidRequest, "grant_type is missing")
	}
	g, ok := s.grants()[t.grantType]
	if !ok {
		return oauth.Errorf(oauth.UnsupportedGrantType, "this server has no such grant_type")
	}
	if !t.client.MayUse(t.grantType) {
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s", t.grantType)
	}
	t.grant = g
	return nil
}

func proveCredential(ctx context.Context, t *tokenRequest) (err error) {
	t.proved, err = t.grant.prove(ctx, t)
	return err
}

// matchResource finds the resource that the token is for. What was granted on
// one resource, or begun at one issuer, is good for nothing at another.
func matchResource(_ context.Context, t *tokenRequest) (err error) {
	if t.proved.Resource == "" {
		t.resource, err = t.issuer.chooseResource(t.client, resourcesOf(t.form))
		return err
	}
	if t.proved.Issuer != t.issuer.String() {
		return oauth.Errorf(oauth.InvalidGrant, "the grant began at another issuer; use the token endpoint of %s", t.proved.Issuer)
	}
	granted := t.issuer.Resource(t.proved.Resource)
	if granted == nil {
		return oauth.Errorf(oauth.InvalidGrant, "the resource that was granted is no longer served")
	}
	named, err := t.issuer.namedResource(resourcesOf(t.form))
	if err != nil {
		return err
	}
	if named != nil && named != granted {
		return oauth.Errorf(oauth.InvalidTarget, "the grant is for %s", granted.URL)
	}
	t.resource = granted
	return mayReach(t.client, granted)
}

// limitScope decides what the token carries, by today's catalog: a scope, a
// client's limit or a group rule that has changed since the grant counts.
func limitScope(_ context.Context, t *tokenRequest) error {
	requested, err := oauth.ParseScope(t.form.Get("scope"))
	if err != nil {
		return err
	}
	var scope oauth.ScopeSet
	if t.proved.Scope == nil {
		scope, err = requestedScope(t.resource, t.client, requested)
	} else {
		scope, err = narrowed(*t.proved.Scope, requested.Intersect(t.resource.ScopeNames()))
		scope = t.client.Limit(scope)
	}
	if err != nil {
		return err
	}
	var groups []string
	if t.proved.User != nil {
		groups = t.proved.User.Groups
	}
	t.scope = grantableScope(t.resource, scope, groups)
	if !refusesAll(t.resource, t.scope) {
		return nil
	}
	if t.proved.Scope == nil {
		return oauth.Errorf(oauth.InvalidScope, "none of the scopes can be granted to a client that acts for itself")
	}
	return oauth.Errorf(oauth.InvalidGrant, "nothing of what was granted is allowed any more; authorize again")
}

// narrowed is what a request takes of what was granted (RFC 6749 §6): all of it
// where it names nothing, and never more.
func narrowed(granted, requested oauth.ScopeSet) (oauth.ScopeSet, error) {
	if requested.Empty() {
		return granted, nil
	}
	if !granted.ContainsAll(requested) {
		return oauth.ScopeSet{}, oauth.Errorf(oauth.InvalidScope, "the scope exceeds what was granted: %s", granted)
	}
	return requested, nil
}

func (s *Server) auditRefused(t *tokenRequest, err error) {
	e := audit.Event{
		Type: eventTokenRefused, Decision: audit.Denied, Reason: string(s.oauthError(t.Context(), err).Code),
		GrantType: t.grantType, Subject: t.proved.Subject, Grant: t.proved.GrantID,
	}
	if t.client != nil {
		e.Client = t.client.ID
	}
	if t.resource != nil {
		e.Resource = t.resource.URL
	}
	s.record(t.Request, e)
}
