package assertion

import (
	"strings"
	"time"
)

// Kind is what an assertion is for.
type Kind int

// The kinds of assertions. The zero Kind accepts nothing.
const (
	// ClientAuthentication is how a client proves who it is (RFC 7523 §2.2).
	ClientAuthentication Kind = iota + 1
	// IdentityGrant lets a client act for a user (ID-JAG, the Identity Assertion
	// Authorization Grant).
	IdentityGrant
	// Workload is a platform's word on one of its workloads, such as a Kubernetes
	// ServiceAccount token or a SPIFFE JWT-SVID.
	Workload
)

// IdentityType is the "typ" of an IdentityGrant.
const IdentityType = "oauth-id-jag+jwt"

// clientType is the "typ" that draft-ietf-oauth-rfc7523bis gives client assertions.
const clientType = "client-authentication+jwt"

// allows reports whether a "typ" is one of the kind's. Explicit typing keeps one
// kind of JWT from being taken for another (RFC 8725 §3.11); those kinds that are
// older than it come without or as plain JWT.
func (k Kind) allows(typ string, typed bool) bool {
	plain := !typed || strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "application/JWT")
	switch k {
	case ClientAuthentication:
		return plain || strings.EqualFold(typ, clientType) || strings.EqualFold(typ, "application/"+clientType)
	case IdentityGrant:
		return typ == IdentityType
	case Workload:
		return plain || strings.EqualFold(typ, "JOSE") // SPIFFE JWT-SVID §2.3
	}
	return false
}

// maxLifetime bounds how far ahead "exp" may be: for that long a stolen assertion
// is good, and a used one has to be remembered. Clusters issue workloads tokens of
// a day.
func (k Kind) maxLifetime() time.Duration {
	if k == Workload {
		return 25 * time.Hour
	}
	return time.Hour
}

// needsID reports whether "jti" is required, because the assertion counts once.
func (k Kind) needsID() bool { return k != Workload }
