package authserver

import (
	"fmt"

	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// currentUser is who granted, as the catalog knows them now: a code and a
// refresh token pass the same rules as a sign-in. A provider that was removed
// vouches for nobody; of a list of users, who was taken off it is gone, and
// whose groups changed has the new ones. What an upstream provider said of
// somebody holds until the grant ends, but its rules are today's.
func (v *view) currentUser(granted store.User) (store.User, error) {
	p, ok := v.providers[granted.Provider]
	if !ok {
		return store.User{}, errUserGone(fmt.Errorf("identity provider %q is gone", granted.Provider))
	}
	assertion := identity.Assertion{
		Provider: p.Name, Subject: "-", // admitted before; the name stays
		Email: granted.Email, EmailVerified: granted.Email != "", Groups: granted.Groups,
	}
	if p.Static != nil {
		listed := findListed(p.IdentityProvider, granted.Subject)
		if listed == nil {
			return store.User{}, errUserGone(fmt.Errorf("identity provider %q no longer lists them", p.Name))
		}
		assertion.Email, assertion.EmailVerified, assertion.Groups = listed.Email, listed.Email != "", listed.Groups
	}
	user, err := identity.Admit(p.IdentityProvider, assertion)
	if err != nil {
		return store.User{}, errUserGone(err)
	}
	user.Subject, user.AuthTime, user.ACR = granted.Subject, granted.AuthTime, granted.ACR
	return user, nil
}

func findListed(p *catalog.IdentityProvider, subject string) *catalog.StaticUser {
	for i, user := range p.Static.Users {
		if identity.SubjectOf(p.Name, user.Username) == subject {
			return &p.Static.Users[i]
		}
	}
	return nil
}

func errUserGone(cause error) *oauth.Error {
	return oauth.Errorf(oauth.InvalidGrant, "the user who granted this may no longer sign in").WithCause(cause)
}
