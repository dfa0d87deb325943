package oauth

import (
	"net/url"
	"strings"
)

// Well-known suffixes, registered by RFC 8414, RFC 9728 and OpenID Connect
// Discovery 1.0.
const (
	WellKnownServer   = "/.well-known/oauth-authorization-server"
	WellKnownOpenID   = "/.well-known/openid-configuration"
	WellKnownResource = "/.well-known/oauth-protected-resource"
)

// Grant types and client authentication methods by their registered names.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523 §2.1

	AuthMethodNone              = "none"
	AuthMethodClientSecretBasic = "client_secret_basic"
	AuthMethodClientSecretPost  = "client_secret_post"
	AuthMethodPrivateKeyJWT     = "private_key_jwt"
)

// Scopes of OpenID Connect Core that this project knows.
const (
	ScopeOpenID = "openid"
	ScopeEmail  = "email"
)

// ServerMetadata is the document of RFC 8414 §2, in the shape that OpenID
// Connect Discovery shares.
type ServerMetadata struct {
	Issuer                             string   `json:"issuer"`
	AuthorizationEndpoint              string   `json:"authorization_endpoint"`
	TokenEndpoint                      string   `json:"token_endpoint"`
	RegistrationEndpoint               string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint                 string   `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint              string   `json:"introspection_endpoint,omitempty"`
	PushedAuthorizationRequestEndpoint string   `json:"pushed_authorization_request_endpoint,omitempty"`
	JWKSURI                            string   `json:"jwks_uri"`
	ScopesSupported                    []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported             []string `json:"response_types_supported"`
	ResponseModesSupported             []string `json:"response_modes_supported"`
	GrantTypesSupported                []string `json:"grant_types_supported"`
	SubjectTypesSupported              []string `json:"subject_types_supported"`
	IDTokenSigningAlgValuesSupported   []string `json:"id_token_signing_alg_values_supported"`
	TokenEndpointAuthMethodsSupported  []string `json:"token_endpoint_auth_methods_supported"`
	// The algorithms of client assertions.
	TokenEndpointAuthSigningAlgValuesSupported         []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationEndpointAuthSigningAlgValuesSupported    []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionEndpointAuthSigningAlgValuesSupported []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`

	RevocationEndpointAuthMethodsSupported    []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	IntrospectionEndpointAuthMethodsSupported []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`

	DPoPSigningAlgValuesSupported       []string `json:"dpop_signing_alg_values_supported,omitempty"`
	PromptValuesSupported               []string `json:"prompt_values_supported,omitempty"`
	ClaimsSupported                     []string `json:"claims_supported,omitempty"`
	AuthorizationGrantProfilesSupported []string `json:"authorization_grant_profiles_supported,omitempty"`

	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
	ProtectedResources            []string `json:"protected_resources,omitempty"`

	AuthorizationResponseIssParameterSupported bool `json:"authorization_response_iss_parameter_supported"`
	ClientIDMetadataDocumentSupported          bool `json:"client_id_metadata_document_supported"`
	// RequestURIParameterSupported is about request objects at URLs of the client's:
	// false has to be said, since OpenID Connect takes its absence for true.
	RequestURIParameterSupported bool `json:"request_uri_parameter_supported"`
}

// ResourceMetadata is the document of RFC 9728 §2.
type ResourceMetadata struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers"`
	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported"`
	ResourceName           string   `json:"resource_name,omitempty"`
	ResourceDocumentation  string   `json:"resource_documentation,omitempty"`

	DPoPSigningAlgValuesSupported []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundAccessTokensRequired bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

// WellKnownURL inserts a well-known suffix between the host and the path of base
// (RFC 8414 §3.1, RFC 9728 §3.1): for https://h/public/mcp it is
// https://h/.well-known/…/public/mcp. A base that is not a URL gives "".
func WellKnownURL(base, suffix string) string {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + suffix + strings.TrimSuffix(u.EscapedPath(), "/")
}

// ResourceIssuer is the issuer that serves one protected resource of an
// authorization server.
func ResourceIssuer(issuer string, id ResourceID) string {
	return strings.TrimSuffix(issuer, "/") + "/resources/" + string(id)
}
