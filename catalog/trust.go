package catalog

// Outbound says what the server may fetch of what strangers name: metadata
// documents and key sets of clients. Without more, public addresses by https
// alone.
type Outbound struct {
	// PrivateHosts are names whose addresses may be private or loopback ones.
	PrivateHosts []string
	// CABundle holds certificates, in PEM, that count beside the system's.
	CABundle string
}

// AssertionKind is what an assertion of a trusted issuer is.
type AssertionKind string

// The kinds of assertions (RFC 7523).
const (
	// IdentityAssertion is an Identity Assertion Authorization Grant (ID-JAG): an
	// enterprise's identity provider lets a client act for a user.
	IdentityAssertion AssertionKind = "IdentityAssertion"
	// WorkloadAssertion is a workload's own identity, such as a Kubernetes
	// ServiceAccount token or a SPIFFE JWT.
	WorkloadAssertion AssertionKind = "Workload"
)

// TrustedIssuer is whose assertions are redeemed for tokens.
type TrustedIssuer struct {
	// Name is unique within the authorization server; subjects begin with it.
	Name string
	Kind AssertionKind
	// Issuer is the "iss" of its assertions, byte for byte.
	Issuer string
	// Cluster says that it is the ServiceAccount issuer of the cluster that the
	// server runs in, whose keys the cluster tells.
	Cluster bool
	// JWKSURI is where its keys are, and JWKS the keys themselves. Where both are
	// empty they are discovered from Issuer.
	JWKSURI string
	JWKS    string
	// Organization is stated in tokens; empty means none.
	Organization string
	// AllowedEmailDomains limits whose identity is accepted, as for an
	// IdentityProvider.
	AllowedEmailDomains []string
	// SubjectClaim, EmailClaim and GroupsClaim name the claims to read; empty means
	// "sub", "email" and "groups".
	SubjectClaim string
	EmailClaim   string
	GroupsClaim  string
	// Condition is a rule over the assertion's claims; nil means none. It is safe for
	// concurrent use, and a rule that fails refuses.
	Condition func(claims map[string]any) bool
}
