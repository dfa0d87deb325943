package authserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
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
	document, err := i.metadataDocument()
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

func (i issuer) metadataDocument() ([]byte, error) {
	if made, ok := i.metadata.Load(i.resourceID()); ok {
		return made.([]byte), nil
	}
	document, err := json.Marshal(i.serverMetadata())
	if err != nil {
		return nil, fmt.Errorf("encode the metadata: %w", err)
	}
	i.metadata.Store(i.resourceID(), document)
	return document, nil
}

// serverMetadata describes the issuer. It does not list offline_access: refresh
// tokens follow from the refresh_token grant type that a client registers, and
// clients that see the scope listed ask for consent in ways that this server
// asks for anyway.
func (i issuer) serverMetadata() oauth.ServerMetadata {
	base := strings.TrimSuffix(i.String(), "/")
	methods := []string{oauth.AuthMethodNone, oauth.AuthMethodClientSecretBasic, oauth.AuthMethodClientSecretPost}
	m := oauth.ServerMetadata{
		Issuer:                                 i.String(),
		AuthorizationEndpoint:                  base + "/oauth/authorize",
		TokenEndpoint:                          base + "/oauth/token",
		RevocationEndpoint:                     base + "/oauth/revoke",
		JWKSURI:                                i.url("/keys"),
		ResponseTypesSupported:                 []string{"code"},
		ResponseModesSupported:                 []string{"query"},
		GrantTypesSupported:                    []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		SubjectTypesSupported:                  []string{"public"},
		IDTokenSigningAlgValuesSupported:       []string{string(keyring.RS256)},
		TokenEndpointAuthMethodsSupported:      methods,
		RevocationEndpointAuthMethodsSupported: methods,
		CodeChallengeMethodsSupported:          []string{oauth.ChallengeMethodS256},

		AuthorizationResponseIssParameterSupported: true,
	}
	if i.Registration().Dynamic {
		m.RegistrationEndpoint = base + "/client_register"
	}
	// The root issuer does not tell strangers what else it serves.
	resource := i.resource
	if all := i.Resources(); resource == nil && len(all) == 1 {
		resource = all[0]
	}
	if resource != nil {
		m.ScopesSupported = resource.ScopeNames().Names()
		m.ProtectedResources = []string{resource.URL}
	}
	return m
}
