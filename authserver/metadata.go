package authserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// metadataMaxAge is how long clients may keep metadata, in seconds; a catalog
// change is seen after that at the latest.
const metadataMaxAge = "300"

// serveMetadata answers everything with a well-known segment in its path: the
// metadata of an issuer, or a 404 that no client can take for a document.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request, v *view, path string) {
	i, ok := v.metadataIssuer(path)
	e := endpoint{methods: readOnly(), cors: true}
	if !s.preflight(w, r, e) {
		return
	}
	if !ok {
		s.notFound(w, r)
		return
	}
	document, err := i.metadataDocument(s.opts.Keys().Active().Algorithm)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeDocument(w, document, metadataMaxAge)
}

// metadataIssuer finds whose metadata a path asks for, in the path-inserted and
// the path-appended form of either document.
func (v *view) metadataIssuer(path string) (issuer, bool) {
	for _, suffix := range []string{oauth.WellKnownServer, oauth.WellKnownOpenID} {
		if rest, ok := strings.CutPrefix(path, suffix); ok {
			return v.issuerAt(rest)
		}
		if rest, ok := strings.CutSuffix(path, suffix); ok {
			return v.issuerAt(rest)
		}
	}
	return issuer{}, false
}

// issuerAt finds the issuer whose URL has the path. The root issuer's trailing
// slash, where a client kept one, is forgiven.
func (v *view) issuerAt(path string) (issuer, bool) {
	below, ok := strings.CutPrefix(path, v.path)
	if !ok {
		return issuer{}, false
	}
	if below == "" || below == "/" {
		return v.issuer("")
	}
	id, rest, ok := splitResource(below)
	if !ok || rest != "" {
		return issuer{}, false
	}
	return v.issuer(id)
}

// metadataKey is what a metadata document differs by.
type metadataKey struct {
	resource  oauth.ResourceID
	algorithm keyring.Algorithm
}

func (i issuer) metadataDocument(algorithm keyring.Algorithm) ([]byte, error) {
	key := metadataKey{i.resourceID(), algorithm}
	if made, ok := i.metadata.Load(key); ok {
		return made.([]byte), nil
	}
	document, err := json.Marshal(i.serverMetadata(algorithm))
	if err != nil {
		return nil, fmt.Errorf("encode the metadata: %w", err)
	}
	i.metadata.Store(key, document)
	return document, nil
}

// serverMetadata describes the issuer. It does not list offline_access: refresh
// tokens follow from the refresh_token grant type that a client registers, and
// clients that see the scope listed ask for consent in ways that this server
// asks for anyway.
func (i issuer) serverMetadata(algorithm keyring.Algorithm) oauth.ServerMetadata {
	confidential := []string{oauth.AuthMethodClientSecretBasic, oauth.AuthMethodClientSecretPost, oauth.AuthMethodPrivateKeyJWT}
	methods := append([]string{oauth.AuthMethodNone}, confidential...)
	assertions := assertion.Algorithms()
	m := oauth.ServerMetadata{
		Issuer:                                             i.String(),
		AuthorizationEndpoint:                              i.endpoint("/oauth/authorize"),
		TokenEndpoint:                                      i.endpoint("/oauth/token"),
		RevocationEndpoint:                                 i.endpoint("/oauth/revoke"),
		IntrospectionEndpoint:                              i.endpoint("/oauth/introspect"),
		PushedAuthorizationRequestEndpoint:                 i.endpoint("/oauth/par"),
		JWKSURI:                                            i.url("/keys"),
		ResponseTypesSupported:                             []string{"code"},
		ResponseModesSupported:                             []string{"query"},
		GrantTypesSupported:                                []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		SubjectTypesSupported:                              []string{"public"},
		IDTokenSigningAlgValuesSupported:                   []string{string(algorithm)},
		TokenEndpointAuthMethodsSupported:                  methods,
		TokenEndpointAuthSigningAlgValuesSupported:         assertions,
		RevocationEndpointAuthMethodsSupported:             methods,
		IntrospectionEndpointAuthMethodsSupported:          confidential,
		CodeChallengeMethodsSupported:                      []string{oauth.ChallengeMethodS256},
		RevocationEndpointAuthSigningAlgValuesSupported:    assertions,
		IntrospectionEndpointAuthSigningAlgValuesSupported: assertions,
		DPoPSigningAlgValuesSupported:                      dpop.Algorithms(),
		PromptValuesSupported:                              []string{"none", "login", "consent", "select_account"},

		AuthorizationResponseIssParameterSupported: true,
		ClientIDMetadataDocumentSupported:          i.takesDocuments(),
	}
	if i.takesRegistrations() {
		m.RegistrationEndpoint = i.endpoint("/client_register")
	}
	i.describeAssertions(&m)
	// The root issuer does not tell strangers what else it serves.
	resource := i.resource
	if all := i.Resources(); resource == nil && len(all) == 1 {
		resource = all[0]
	}
	if resource != nil {
		m.ScopesSupported = offeredScopes(resource).Names()
		m.ProtectedResources = []string{resource.URL}
	}
	return m
}

// describeAssertions lists the jwt-bearer grant where somebody is trusted to assert.
func (i issuer) describeAssertions(m *oauth.ServerMetadata) {
	trusted := i.AllTrustedIssuers()
	if len(trusted) == 0 {
		return
	}
	m.GrantTypesSupported = append(m.GrantTypesSupported, oauth.GrantJWTBearer)
	if slices.ContainsFunc(trusted, func(t *catalog.TrustedIssuer) bool { return t.Kind == catalog.IdentityAssertion }) {
		m.AuthorizationGrantProfilesSupported = []string{profileIDJAG}
	}
}

// profileIDJAG names the profile of the jwt-bearer grant whose assertions are
// ID-JAGs.
const profileIDJAG = "urn:ietf:params:oauth:grant-profile:id-jag"

// takesRegistrations and takesDocuments report how unknown clients may come to
// this issuer: as the server and, below it, the resource allow.
func (i issuer) takesRegistrations() bool {
	return i.Registration().Dynamic && (i.resource == nil || i.resource.Registration == nil || i.resource.Registration.Dynamic)
}

func (i issuer) takesDocuments() bool {
	return i.Registration().MetadataDocuments &&
		(i.resource == nil || i.resource.Registration == nil || i.resource.Registration.MetadataDocuments)
}
