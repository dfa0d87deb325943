package sidecar

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// describe writes the protected resource metadata (RFC 9728 §2) and says where it
// is. A resource with a path has its document at the path-inserted address only:
// clients demand of the document at the root that it describe the root.
func (s *site) describe() error {
	document := oauth.ResourceMetadata{
		Resource:               s.policy.Resource,
		AuthorizationServers:   s.policy.Issuers[:1],
		ScopesSupported:        s.policy.SupportedScopes().Minus(oauth.NewScopeSet(oauth.OfflineAccess)).Names(),
		BearerMethodsSupported: []string{"header"},
		ResourceName:           s.policy.ResourceName,
	}
	if s.policy.RequireDPoP {
		document.DPoPBoundAccessTokensRequired, document.DPoPSigningAlgValuesSupported = true, dpop.Algorithms()
	}
	var err error
	if s.metadata, err = json.Marshal(document); err != nil {
		return fmt.Errorf("encode the resource metadata: %w", err)
	}
	s.metadataURL = oauth.WellKnownURL(s.policy.Resource, oauth.WellKnownResource)
	s.metadataPaths = []string{oauth.WellKnownResource + strings.TrimSuffix(s.path, "/")}
	if s.path != "/" && strings.HasSuffix(s.path, "/") {
		// RFC 9728 §3.1 keeps this slash, clients drop it.
		s.metadataPaths = append(s.metadataPaths, oauth.WellKnownResource+s.path)
	}
	return nil
}

// answerMetadata answers everything under /.well-known/, to everybody: browsers
// of any origin read these documents before there is a token. It never passes
// such a request on, since a web page in the place of a document is fatal to
// clients.
func (x *exchange) answerMetadata(path string) *answer {
	if path != "/.well-known" && !strings.HasPrefix(path, "/.well-known/") {
		return nil
	}
	open := http.Header{"Access-Control-Allow-Origin": {"*"}}
	if !slices.Contains(x.site.metadataPaths, path) {
		a := x.notFound("there is no such document; the resource metadata is at " + x.site.metadataURL)
		a.header = open
		return a
	}
	x.unaudited = true
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		open.Set("Cache-Control", "public, max-age=60")
		return &answer{status: http.StatusOK, header: open, body: x.site.metadata}
	case http.MethodOptions:
		open.Set("Access-Control-Allow-Methods", "GET, HEAD")
		open.Set("Access-Control-Allow-Headers", "*")
		open.Set("Access-Control-Max-Age", preflightMaxAge)
		return &answer{status: http.StatusNoContent, header: open}
	default:
		open.Set("Allow", "GET, HEAD, OPTIONS")
		a := malformed(http.StatusMethodNotAllowed, jsonrpc.InvalidRequest, "this document is only read")
		a.header = open
		return a
	}
}
