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
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/dpop"
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
	key       *dpop.Proof       // phase 4; nil where the request proves no key
	proved    proof             // phase 5
	resource  *catalog.Resource // phase 6
	scope     oauth.ScopeSet    // phase 7
}

// thumbprint is of the key that the request proved, "" for none.
func (t *tokenRequest) thumbprint() string {
	if t.key == nil {
		return ""
	}
	return t.key.Thumbprint
}

// grant is what differs between the grant types: the credential that a request
// proves, and how it is spent. Everything else is a phase that all share, so
// that no grant can leave one out.
type grant interface {
	// prove checks the request's own credential. It changes nothing: a request
	// that fails here or in a later phase costs its sender nothing.
	prove(ctx context.Context, t *tokenRequest) (proof, error)
	// spend uses the credential up, exactly once, after everything else has held.
	// It returns the grant that the token belongs to, zero where it belongs to none.
	spend(ctx context.Context, t *tokenRequest) (store.Grant, error)
}

// proof is what a credential is worth.
type proof struct {
	// Subject is who the token will be about.
	Subject string
	// User is who granted or whom an assertion is about; nil where a client acts for
	// itself.
	User *store.User
	// Resources are those that were granted on, empty where the request chooses.
	Resources []oauth.ResourceID
	// Issuer is where the journey began, empty where the request is all of it.
	Issuer string
	// Scope is the most that the token may carry. It is nil where the request
	// chooses.
	Scope *oauth.ScopeSet
	// Intersects takes what request and Scope have in common, instead of refusing a
	// request for more.
	Intersects bool
	// Once names a credential that may be spent once and is in no table; the zero
	// Hash where there is none.
	Once credential.Hash
	// OnceUntil is when the credential is refused anyway.
	OnceUntil time.Time
	// GrantID names an existing grant, for audit events.
	GrantID string
	// KeyThumbprint is of the key that has to be proved; empty where none was named.
	KeyThumbprint string
	// Nonce is for the ID token; empty where there was none.
	Nonce string
}

// grants is every grant type that the token endpoint knows.
func (s *Server) grants() map[string]grant {
	return map[string]grant{
		oauth.GrantAuthorizationCode: codeGrant{s},
		oauth.GrantRefreshToken:      refreshGrant{s},
		oauth.GrantClientCredentials: clientCredentialsGrant{},
		oauth.GrantJWTBearer:         assertionGrant{s},
	}
}

// token is the token endpoint (OAuth 2.1 §3.2). The phases, in their order:
//
//  1. the form is well formed
//  2. the client is who it says
//  3. the grant type exists and the client may use it
//  4. the proof of a key, if there is one, is genuine
//  5. the grant's own credential is genuine
//  6. the resource is known, meant, and within the client's reach
//  7. the scope is within what was granted, the client's limit and the scopes' rules
//  8. a key is proved where one must be, and the proof is not used twice
//  9. the credential is spent, by one conditional statement
//  10. the token is signed
func (s *Server) token(w http.ResponseWriter, r *request) {
	t := &tokenRequest{request: r, now: s.opts.Now()}
	response, err := s.issue(w, t)
	if err != nil {
		s.auditRefused(t, err)
		s.writeTokenError(w, t, err)
		return
	}
	s.writeJSON(w, r.Request, http.StatusOK, response)
}

func (s *Server) issue(w http.ResponseWriter, t *tokenRequest) (*tokenResponse, error) {
	var err error
	if t.form, err = readForm(w, t.Request); err == nil {
		err = onlyOnce(t.form)
	}
	if err != nil {
		return nil, err
	}
	for _, phase := range []func(context.Context, *tokenRequest) error{
		s.authenticateClient, s.selectGrant, s.readKeyProof, proveCredential, matchResource, limitScope, s.bindKey,
	} {
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
	t.client, err = t.issuer.clients.Authenticate(ctx, t.Request, t.form, t.issuer.assertionAudiences("/oauth/token"))
	return err
}

func (s *Server) selectGrant(_ context.Context, t *tokenRequest) error {
	t.grantType = t.form.Get("grant_type")
	if t.grantType == "" {
		return oauth.Errorf(oauth.InvalidRequest, "grant_type is missing")
	}
	g, ok := s.grantTypes[t.grantType]
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

// matchResource finds the resource that the token is for. What was granted on some
// resources, or begun at one issuer, is good for nothing at another.
func matchResource(_ context.Context, t *tokenRequest) (err error) {
	if len(t.proved.Resources) == 0 {
		t.resource, err = t.issuer.chooseResource(t.client, resourcesOf(t.form))
		return err
	}
	if t.proved.Issuer != t.issuer.String() {
		return oauth.Errorf(oauth.InvalidGrant, "the grant began at another issuer; use the token endpoint of %s", t.proved.Issuer)
	}
	named, err := t.issuer.oneResource(resourcesOf(t.form))
	if err != nil {
		return err
	}
	for _, id := range t.proved.Resources {
		granted := t.issuer.Resource(id)
		if granted == nil || named != nil && named != granted {
			continue
		}
		t.resource = granted
		return mayReach(t.client, granted)
	}
	if named != nil {
		return oauth.Errorf(oauth.InvalidTarget, "the grant is not for %s", named.URL)
	}
	return oauth.Errorf(oauth.InvalidGrant, "what was granted on is no longer served")
}

// limitScope decides what the token carries, by today's catalog: a scope, a
// client's limit or a scope's rule that has changed since the grant counts.
func limitScope(_ context.Context, t *tokenRequest) error {
	requested, err := oauth.ParseScope(t.form.Get("scope"))
	if err != nil {
		return err
	}
	resources := []*catalog.Resource{t.resource}
	var scope oauth.ScopeSet
	if t.proved.Scope == nil {
		scope, err = requestedScope(resources, t.client, requested)
	} else {
		granted := t.proved.Scope.Intersect(offeredScopes(t.resource))
		scope, err = narrowed(granted, requested.Intersect(offeredScopes(t.resource)), t.proved.Intersects)
		identity := scope.Intersect(identityScopes(t.resource))
		scope = t.client.Limit(scope.Minus(identity)).Union(identity)
	}
	if err != nil {
		return err
	}
	t.scope = grantableScope(resources, scope, grantee(t.proved.User, t.client.ID, t.grantType))
	if !refusesAll(resources, t.scope) {
		return nil
	}
	if t.proved.Scope == nil {
		return oauth.Errorf(oauth.InvalidScope, "none of the scopes can be granted to a client that acts for itself")
	}
	return oauth.Errorf(oauth.InvalidGrant, "nothing of what was granted is allowed any more; authorize again")
}

// narrowed is what a request takes of what was granted (RFC 6749 §6): all of it
// where it names nothing, and never more.
func narrowed(granted, requested oauth.ScopeSet, intersects bool) (oauth.ScopeSet, error) {
	switch {
	case requested.Empty():
		return granted, nil
	case intersects:
		return requested.Intersect(granted), nil
	case !granted.ContainsAll(requested):
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
