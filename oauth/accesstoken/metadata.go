package accesstoken

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// Metadata is the protected resource metadata (RFC 9728 §2): where clients learn who
// issues tokens for the resource.
func (g *Guard) Metadata() oauth.ResourceMetadata {
	document := oauth.ResourceMetadata{
		Resource:               g.Resource,
		AuthorizationServers:   g.AuthorizationServers,
		BearerMethodsSupported: []string{"header"},
		ResourceName:           g.Name,
	}
	if document.AuthorizationServers == nil {
		document.AuthorizationServers = g.Verifier.Issuers[:min(1, len(g.Verifier.Issuers))]
	}
	supported := g.ScopesSupported
	if supported.Empty() {
		supported = g.Scopes
	}
	// Resources never advertise it: whether a client gets a refresh token is between
	// it and the authorization server.
	document.ScopesSupported = supported.Minus(oauth.NewScopeSet(oauth.OfflineAccess)).Names()
	if g.RequireDPoP {
		document.DPoPBoundAccessTokensRequired, document.DPoPSigningAlgValuesSupported = true, dpop.Algorithms()
	}
	return document
}

// MetadataPath is the path at which clients look for the metadata: that of the
// resource behind the well-known prefix (RFC 9728 §3.1).
func (g *Guard) MetadataPath() string {
	u, err := url.Parse(oauth.WellKnownURL(g.Resource, oauth.WellKnownResource))
	if err != nil || u.Path == "" {
		return oauth.WellKnownResource
	}
	return u.EscapedPath()
}

// MetadataHandler serves the metadata to everybody: browsers of any origin read them
// before there is a token.
func (g *Guard) MetadataHandler() http.Handler {
	document, err := json.Marshal(g.Metadata())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		switch {
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		case r.Method == http.MethodGet, r.Method == http.MethodHead:
			header.Set("Cache-Control", "public, max-age=60")
			header.Set("Content-Type", "application/json")
			header.Set("X-Content-Type-Options", "nosniff")
			// A client that is gone by now has nobody to be told.
			_, _ = w.Write(document)
		case r.Method == http.MethodOptions:
			header.Set("Access-Control-Allow-Methods", "GET, HEAD")
			header.Set("Access-Control-Allow-Headers", "*")
			header.Set("Access-Control-Max-Age", "7200") // seconds, the longest that browsers honour
			w.WriteHeader(http.StatusNoContent)
		default:
			header.Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}
