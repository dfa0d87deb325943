package identity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
)

// Bounds on what a provider may say of a user. What is longer is not cut, since
// a cut name may be somebody else's.
const (
	maxSubjectLength = 255 // OpenID Connect Core §2
	maxEmailLength   = 254 // RFC 5321 §4.5.3.1.3
)

// Admit is the one door behind all providers: it applies the provider's rules to
// what was asserted and makes a User of it, or fails with ErrNotAdmitted.
//
// The user's Subject is SubjectOf the provider and its subject. An e-mail address
// counts only where the provider verified it, and where it has one "@"; any other
// neither satisfies AllowedEmailDomains nor becomes part of the User.
func Admit(p *catalog.IdentityProvider, a Assertion) (store.User, error) {
	switch {
	case a.Provider != p.Name:
		return store.User{}, fmt.Errorf("%w: the assertion is of provider %q, not %q", ErrNotAdmitted, a.Provider, p.Name)
	case a.Subject == "" || len(a.Subject) > maxSubjectLength:
		return store.User{}, fmt.Errorf("%w: the subject is empty or longer than %d bytes", ErrNotAdmitted, maxSubjectLength)
	}
	email, domain := "", ""
	if a.EmailVerified {
		email, domain = splitEmail(a.Email)
	}
	if len(p.AllowedEmailDomains) > 0 && !allowsDomain(p.AllowedEmailDomains, domain) {
		return store.User{}, fmt.Errorf("%w: there is no verified e-mail address in a domain that provider %q allows", ErrNotAdmitted, p.Name)
	}
	return store.User{
		Subject: SubjectOf(p.Name, a.Subject), Email: email, Organization: p.Organization,
		Groups: slices.Clone(a.Groups), Provider: p.Name, AuthTime: a.AuthTime, ACR: a.ACR,
	}, nil
}

// splitEmail returns an address and its domain in lower case, or nothing for a
// text that two readers could split differently: with more than one "@" (also a
// quoted one), with white space or with control characters.
func splitEmail(address string) (email, domain string) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(address) > maxEmailLength {
		return "", ""
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r <= 0xa0 }) {
		return "", ""
	}
	return address, lowerASCII(domain)
}

func allowsDomain(allowed []string, domain string) bool {
	return domain != "" && slices.ContainsFunc(allowed, func(d string) bool { return lowerASCII(d) == domain })
}

// lowerASCII leaves other letters alone: Unicode has some whose lower case is an
// ASCII letter, by which another domain would become ours.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + ('a' - 'A')
		}
	}
	return string(b)
}

// SubjectOf is the name of a provider's user within the authorization server:
// "provider|subject". Bytes outside a conservative set are percent-encoded, so
// that it fits a token, a header and a log line as it is; since the provider's
// half never holds "|", no two users of any two providers share one.
func SubjectOf(provider, subject string) string {
	return escape(provider, "") + "|" + escape(subject, "|")
}

func escape(s, also string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) || strings.IndexByte(also, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func plain(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	default:
		return strings.IndexByte("-._~@+:/=", c) >= 0
	}
}
