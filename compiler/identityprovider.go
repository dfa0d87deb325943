package compiler

import (
	"cmp"
	"net/mail"
	"slices"

	"golang.org/x/crypto/bcrypt"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// maxBcryptCost bounds the work that a stranger's attempt to sign in can cause.
const maxBcryptCost = 16

func (c *compilation) identityProviders() {
	for _, object := range byAge(c.in.IdentityProviders) {
		id := identify(KindIdentityProvider, object)
		ref := types.NamespacedName{Namespace: object.Namespace, Name: object.Spec.AuthorizationServerRef.Name}
		a, problems := c.attach(ref, object.Namespace)
		problems = append(problems, checkProvider(&object.Spec)...)
		if c.refuse(id, problems) {
			continue
		}
		a.content.Providers = append(a.content.Providers, provider(object))
	}
}

func checkProvider(spec *v1alpha1.IdentityProviderSpec) []Problem {
	switch {
	case spec.Type == v1alpha1.ProviderStatic && spec.Static != nil:
		return checkStatic(spec.Static)
	case spec.Type == v1alpha1.ProviderOIDC && spec.OIDC != nil:
		if err := oauth.ValidServiceURL(spec.OIDC.Issuer); err != nil {
			return []Problem{invalid("spec.oidc.issuer", "issuer %q %s", spec.OIDC.Issuer, err)}
		}
		return nil
	default:
		return []Problem{invalid("spec.type", "type %q needs its member of the same name and no other", spec.Type)}
	}
}

func checkStatic(spec *v1alpha1.StaticProvider) []Problem {
	var problems []Problem
	for _, user := range spec.Users {
		cost, err := bcrypt.Cost([]byte(user.PasswordHash))
		switch {
		case err != nil:
			problems = append(problems, invalid("spec.static.users", "passwordHash of user %q is not a bcrypt hash; make one with: htpasswd -nbB %s PASSWORD", user.Username, user.Username))
		case cost > maxBcryptCost:
			problems = append(problems, invalid("spec.static.users", "passwordHash of user %q has cost %d, at which every attempt to sign in takes seconds; use at most %d", user.Username, cost, maxBcryptCost))
		}
		if address, err := mail.ParseAddress(user.Email); user.Email != "" && (err != nil || address.Address != user.Email) {
			problems = append(problems, invalid("spec.static.users", "email %q of user %q is not an address", user.Email, user.Username))
		}
	}
	return problems
}

func provider(object *v1alpha1.IdentityProvider) *catalog.IdentityProvider {
	spec := &object.Spec
	p := &catalog.IdentityProvider{
		Name:                object.Name,
		DisplayName:         cmp.Or(spec.DisplayName, object.Name),
		Organization:        spec.Organization,
		AllowedEmailDomains: slices.Clone(spec.AllowedEmailDomains),
	}
	if spec.Static != nil {
		p.Static = &catalog.StaticProvider{}
		for _, user := range spec.Static.Users {
			p.Static.Users = append(p.Static.Users, catalog.StaticUser{
				Username: user.Username, Email: user.Email, PasswordHash: user.PasswordHash, Groups: slices.Clone(user.Groups),
			})
		}
	}
	if spec.OIDC != nil {
		p.OIDC = oidcProvider(spec.OIDC)
	}
	return p
}

func oidcProvider(spec *v1alpha1.OIDCProvider) *catalog.OIDCProvider {
	p := &catalog.OIDCProvider{Issuer: spec.Issuer, ClientID: spec.ClientID, Scopes: slices.Clone(spec.Scopes)}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{"profile", "email"}
	}
	if ref := spec.ClientSecretRef; ref != nil {
		p.SecretName, p.SecretKey = ref.Name, ref.Key
	}
	if claims := spec.Claims; claims != nil {
		p.SubjectClaim, p.EmailClaim, p.GroupsClaim = claims.Subject, claims.Email, claims.Groups
	}
	return p
}
