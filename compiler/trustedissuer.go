package compiler

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// trustedIssuers compiles those of an AuthorizationServer. What is wrong with one
// leaves that one out and is Partial: nobody is trusted by mistake, and everybody
// else is served.
func (c *compilation) trustedIssuers(object *v1alpha1.AuthorizationServer) ([]*catalog.TrustedIssuer, []Problem) {
	var accepted []*catalog.TrustedIssuer
	var problems []Problem
	for i := range object.Spec.TrustedIssuers {
		spec := &object.Spec.TrustedIssuers[i]
		condition, p := c.checkTrustedIssuer(object, spec)
		if p == nil {
			p = claimedTrust(spec, accepted)
		}
		if p != nil {
			problems = append(problems, *p)
			continue
		}
		accepted = append(accepted, trustedIssuer(spec, condition))
	}
	return accepted, problems
}

// claimedTrust is the problem that another one speaks for the issuer already: which
// of them vouches for an assertion could not be told.
func claimedTrust(spec *v1alpha1.TrustedIssuer, accepted []*catalog.TrustedIssuer) *Problem {
	for _, other := range accepted {
		switch {
		case spec.Cluster && other.Cluster:
			return wrongTrust(spec, "cluster", "%q stands for the cluster already", other.Name)
		case !spec.Cluster && spec.Issuer == other.Issuer && kindOf(spec) == other.Kind:
			return wrongTrust(spec, "issuer", "%q has its issuer and type already; merge the two", other.Name)
		}
	}
	return nil
}

func isCluster(t *catalog.TrustedIssuer) bool { return t.Cluster }

func kindOf(spec *v1alpha1.TrustedIssuer) catalog.AssertionKind {
	if spec.Type == v1alpha1.TrustedIdentityAssertion {
		return catalog.IdentityAssertion
	}
	return catalog.WorkloadAssertion
}

func wrongTrust(spec *v1alpha1.TrustedIssuer, field, format string, args ...any) *Problem {
	p := invalid("spec.trustedIssuers."+field, "trusted issuer %q: %s; it is left out", spec.Name, fmt.Sprintf(format, args...))
	p.Partial = true
	return &p
}

func (c *compilation) checkTrustedIssuer(object *v1alpha1.AuthorizationServer, spec *v1alpha1.TrustedIssuer) (func(map[string]any) bool, *Problem) {
	discovered := spec.JWKS == "" && spec.JWKSURI == ""
	switch {
	case spec.Cluster != (spec.Issuer == ""):
		return nil, wrongTrust(spec, "issuer", "set issuer, or cluster: true, and not both")
	case spec.Cluster && (spec.Type != v1alpha1.TrustedWorkload || !discovered):
		return nil, wrongTrust(spec, "cluster", "cluster: true goes with type: Workload and without keys")
	case !spec.Cluster && isOwnIssuer(object.Spec.Issuer, spec.Issuer):
		return nil, wrongTrust(spec, "issuer", "issuer %s is this server's own, whose tokens are no assertions", spec.Issuer)
	case spec.JWKS != "" && spec.JWKSURI != "":
		return nil, wrongTrust(spec, "jwks", "set jwks or jwksURI, not both")
	case c.sharesName(object, spec):
		return nil, wrongTrust(spec, "name", "an IdentityProvider that is not the same issuer of people has its name, so that two subjects could be alike; choose another")
	}
	if !spec.Cluster && discovered {
		if err := oauth.ValidServiceURL(spec.Issuer); err != nil {
			return nil, wrongTrust(spec, "issuer", "issuer %q %s; give its keys in jwks or jwksURI if it is no URL", spec.Issuer, err)
		}
	}
	if spec.JWKSURI != "" {
		if err := checkHTTPS(spec.JWKSURI); err != nil {
			return nil, wrongTrust(spec, "jwksURI", "jwksURI %q %s", spec.JWKSURI, err)
		}
	}
	if spec.JWKS != "" {
		if err := checkKeySet(spec.JWKS); err != nil {
			return nil, wrongTrust(spec, "jwks", "jwks %s", err)
		}
	}
	condition, err := c.assertionCondition(spec.Condition)
	if err != nil {
		return nil, wrongTrust(spec, "condition", "condition %s", err)
	}
	return condition, nil
}

// isOwnIssuer reports whether issuer is one under which the server itself signs.
func isOwnIssuer(own, issuer string) bool {
	return issuer == own || strings.HasPrefix(issuer, own+"/resources/")
}

// sharesName reports whether an IdentityProvider of the server has the name and
// signs other people in: subjects begin with the name, and one that both can assert
// has to be one person.
func (c *compilation) sharesName(object *v1alpha1.AuthorizationServer, spec *v1alpha1.TrustedIssuer) bool {
	return slices.ContainsFunc(c.in.IdentityProviders, func(p *v1alpha1.IdentityProvider) bool {
		if p.Name != spec.Name || p.Namespace != object.Namespace || p.Spec.AuthorizationServerRef.Name != object.Name {
			return false
		}
		same := p.Spec.OIDC != nil && p.Spec.OIDC.Issuer == spec.Issuer && subjectClaim(p.Spec.OIDC.Claims) == subjectClaim(spec.Claims)
		return spec.Type != v1alpha1.TrustedIdentityAssertion || !same
	})
}

func subjectClaim(names *v1alpha1.ClaimNames) string {
	if names == nil {
		return "sub"
	}
	return cmp.Or(names.Subject, "sub")
}

func trustedIssuer(spec *v1alpha1.TrustedIssuer, condition func(map[string]any) bool) *catalog.TrustedIssuer {
	t := &catalog.TrustedIssuer{
		Name:                spec.Name,
		Kind:                kindOf(spec),
		Issuer:              spec.Issuer,
		Cluster:             spec.Cluster,
		JWKSURI:             spec.JWKSURI,
		JWKS:                spec.JWKS,
		Organization:        spec.Organization,
		AllowedEmailDomains: slices.Clone(spec.AllowedEmailDomains),
		Condition:           condition,
	}
	if claims := spec.Claims; claims != nil {
		t.SubjectClaim, t.EmailClaim, t.GroupsClaim = claims.Subject, claims.Email, claims.Groups
	}
	return t
}
