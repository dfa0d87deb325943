package catalog

// IdentityProvider signs users in. Exactly one of its members is set.
type IdentityProvider struct {
	// Name is unique within the authorization server.
	Name string
	// DisplayName is what the sign-in page calls it; never empty.
	DisplayName string
	// Organization is stated in the tokens of its users; empty means none.
	Organization string
	// AllowedEmailDomains limits who may sign in, compared in lower case; empty
	// means everybody whom the provider knows.
	AllowedEmailDomains []string

	Static *StaticProvider
	OIDC   *OIDCProvider
}

// StaticProvider is a list of users, for trials and small teams.
type StaticProvider struct {
	Users []StaticUser
}

// StaticUser is one of them.
type StaticUser struct {
	Username string
	Email    string
	// PasswordHash is bcrypt.
	PasswordHash string
	Groups       []string
}

// OIDCProvider is an OpenID Connect provider upstream.
type OIDCProvider struct {
	// Issuer is the provider's issuer URL, from which everything is discovered.
	Issuer   string
	ClientID string
	// SecretName and SecretKey say where the client secret is: an entry of a
	// Secret in the authorization server's own namespace. The secret itself is
	// never part of a catalog. Empty means a public client.
	SecretName string
	SecretKey  string
	// Scopes are requested beside "openid".
	Scopes []string
	// SubjectClaim, EmailClaim and GroupsClaim name the claims to read; empty means
	// "sub", "email" and "groups".
	SubjectClaim string
	EmailClaim   string
	GroupsClaim  string
}
