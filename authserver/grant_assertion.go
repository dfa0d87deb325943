package authserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// assertionGrant redeems the assertions of trusted issuers (RFC 7523 §2.1): an
// enterprise's identity provider lets a client act for a user
// (draft-ietf-oauth-identity-assertion-authz-grant), or a workload shows who it is.
// There is no refresh token: whoever has one assertion can get another, and its
// issuer stays the one who decides.
type assertionGrant struct{ *Server }

func errAssertion() *oauth.Error {
	return oauth.Errorf(oauth.InvalidGrant, "the assertion is not one that this server redeems: wrong issuer, audience, key, type or time")
}

func (g assertionGrant) prove(ctx context.Context, t *tokenRequest) (proof, error) {
	raw := t.form.Get("assertion")
	if raw == "" {
		return proof{}, oauth.Errorf(oauth.InvalidRequest, "assertion is missing")
	}
	stated, _, typ, err := assertion.Peek(raw)
	if err != nil {
		return proof{}, errAssertion().WithCause(err)
	}
	kind := catalog.WorkloadAssertion
	if strings.EqualFold(typ, assertion.IdentityType) {
		kind = catalog.IdentityAssertion
	}
	trusted, keys, err := g.trusted(ctx, t, stated, kind)
	if err != nil {
		return proof{}, err
	}
	verified, err := assertion.Verify(ctx, raw, keys, expectation(t, stated, kind))
	if errors.Is(err, assertion.ErrKeysUnavailable) {
		return proof{}, oauth.Errorf(oauth.TemporarilyUnavailable, "the issuer's keys cannot be fetched; try again in a moment").WithCause(err)
	}
	if err != nil {
		return proof{}, errAssertion().WithCause(err)
	}
	if trusted.Condition != nil && !trusted.Condition(verified.Claims) {
		return proof{}, oauth.Errorf(oauth.InvalidGrant, "the assertion's claims do not meet the conditions of trusted issuer %s", trusted.Name)
	}
	user, err := assertedUser(trusted, verified)
	if err != nil {
		return proof{}, err
	}
	if kind == catalog.WorkloadAssertion {
		return proveWorkload(t, trusted, verified, user)
	}
	return proveIdentity(t, verified, user)
}

// trusted finds whom the stated issuer is and its keys. An issuer is looked up by
// what the assertion claims and believed only when its signature holds.
func (g assertionGrant) trusted(ctx context.Context, t *tokenRequest, stated string, kind catalog.AssertionKind) (*catalog.TrustedIssuer, assertion.Keys, error) {
	for _, trusted := range t.issuer.TrustedIssuers(stated) {
		if trusted.Kind == kind && !trusted.Cluster {
			return trusted, g.clients.TrustedKeys(trusted), nil
		}
	}
	for _, trusted := range t.issuer.AllTrustedIssuers() {
		if !trusted.Cluster || trusted.Kind != kind || g.opts.ClusterIssuer == nil {
			continue
		}
		issuer, keys, err := g.opts.ClusterIssuer(ctx)
		if err != nil {
			return nil, nil, oauth.Errorf(oauth.TemporarilyUnavailable, "the cluster's ServiceAccount issuer cannot be asked; try again in a moment").WithCause(err)
		}
		if issuer == stated {
			return trusted, keys, nil
		}
	}
	return nil, nil, errAssertion().WithCause(fmt.Errorf("no trusted issuer of kind %s is the stated one", kind))
}

func expectation(t *tokenRequest, stated string, kind catalog.AssertionKind) assertion.Expectation {
	e := assertion.Expectation{
		Kind: assertion.Workload, Issuer: stated, Now: t.now,
		Audiences: []string{t.issuer.String(), t.issuer.Issuer()}, SoleAudience: t.issuer.StrictAssertions(),
	}
	if kind == catalog.IdentityAssertion {
		e.Kind = assertion.IdentityGrant
	}
	return e
}

// assertedUser passes what a trusted issuer says through the same door as a
// sign-in.
func assertedUser(trusted *catalog.TrustedIssuer, a *assertion.Assertion) (store.User, error) {
	claim := func(configured, usual string) string {
		if configured != "" {
			return configured
		}
		return usual
	}
	verified, _ := a.Claims["email_verified"].(bool)
	authenticated, _ := a.Time("auth_time")
	user, err := identity.Admit(
		&catalog.IdentityProvider{Name: trusted.Name, Organization: trusted.Organization, AllowedEmailDomains: trusted.AllowedEmailDomains},
		identity.Assertion{
			Provider: trusted.Name, Subject: a.Text(claim(trusted.SubjectClaim, "sub")),
			Email: a.Text(claim(trusted.EmailClaim, "email")), EmailVerified: verified,
			Groups: a.Texts(claim(trusted.GroupsClaim, "groups")), AuthTime: authenticated,
		})
	if err != nil {
		return store.User{}, oauth.Errorf(oauth.InvalidGrant, "trusted issuer %s may not vouch for this account", trusted.Name).WithCause(err)
	}
	return user, nil
}

// proveWorkload lets a workload act as a client that names it.
func proveWorkload(t *tokenRequest, trusted *catalog.TrustedIssuer, a *assertion.Assertion, user store.User) (proof, error) {
	named := catalog.Workload{TrustedIssuer: trusted.Name, Subject: a.Subject}
	if !t.client.Declared() || !slices.Contains(t.client.Workloads, named) {
		return proof{}, oauth.Errorf(oauth.InvalidGrant, "the workload is not one that may act as this client; its OAuthClient names those that may")
	}
	return proof{Subject: user.Subject, User: &user}, nil
}

// proveIdentity lets a client act for a user as far as the identity provider said:
// for that client alone, on that resource, with those scopes.
func proveIdentity(t *tokenRequest, a *assertion.Assertion, user store.User) (proof, error) {
	if !t.client.Confidential() {
		return proof{}, oauth.Errorf(oauth.UnauthorizedClient, "identity assertions are for clients that authenticate")
	}
	if a.Text("client_id") != t.client.ID {
		return proof{}, oauth.Errorf(oauth.InvalidGrant, "the assertion was issued for another client")
	}
	p := proof{Subject: user.Subject, User: &user, Issuer: t.issuer.String(), Intersects: true}
	p.Once, p.OnceUntil = a.Once()
	indicators, err := statedResources(a)
	if err != nil {
		return proof{}, err
	}
	named, err := t.issuer.namedResources(indicators)
	if err != nil {
		return proof{}, oauth.Errorf(oauth.InvalidTarget, "the assertion is for a resource that this issuer does not protect").WithCause(err)
	}
	p.Resources = resourceIDs(named)
	if len(named) == 0 {
		only, err := t.issuer.chooseResources(t.client, resourcesOf(t.form))
		if err != nil {
			return proof{}, err
		}
		p.Resources = resourceIDs(only)
	}
	scope, err := oauth.ParseScope(a.Text("scope"))
	if err != nil {
		return proof{}, errAssertion().WithCause(err)
	}
	if _, stated := a.Claims["scope"]; stated {
		p.Scope = &scope
	}
	return p, nil
}

// statedResources are the assertion's "resource", none where it has none. They limit
// the client, so what cannot be read of them is not passed over.
func statedResources(a *assertion.Assertion) ([]string, error) {
	claim, stated := a.Claims["resource"]
	if !stated {
		return nil, nil
	}
	items, isArray := claim.([]any)
	if !isArray {
		items = []any{claim}
	}
	var indicators []string
	for _, item := range items {
		text, isText := item.(string)
		if !isText || text == "" {
			return nil, errAssertion().WithCause(errors.New("its resource is neither a string nor an array of them"))
		}
		indicators = append(indicators, text)
	}
	if len(indicators) == 0 {
		return nil, errAssertion().WithCause(errors.New("its resource is empty"))
	}
	return indicators, nil
}

// spend uses an identity assertion once, at whatever replica. A workload's own
// token is what its platform keeps ready for it and is used until it expires.
func (g assertionGrant) spend(ctx context.Context, t *tokenRequest) (store.Grant, error) {
	if t.proved.Once == (credential.Hash{}) {
		return store.Grant{}, nil
	}
	fresh, err := g.opts.Store.UseOnce(ctx, t.proved.Once, t.proved.OnceUntil)
	if err != nil {
		return store.Grant{}, fmt.Errorf("remember an assertion: %w", err)
	}
	if !fresh {
		return store.Grant{}, oauth.Errorf(oauth.InvalidGrant, "the assertion has been redeemed before; ask for another")
	}
	return store.Grant{}, nil
}
