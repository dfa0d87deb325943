package sidecar

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

const (
	preflightMaxAge = "7200" // seconds, the longest that browsers honour
	anyOrigin       = "*"
	maxAskedHeaders = 64
)

// checkOrigin refuses browsers on pages that may not call, which is what stops
// DNS rebinding (MCP, Streamable HTTP, Security Warning), and answers preflights:
// those carry no token. Clients that are not browsers send no Origin.
func (x *exchange) checkOrigin() *answer {
	origins := x.r.Header.Values("Origin")
	if len(origins) == 0 {
		return nil
	}
	if !x.site.allows(origins) {
		a := malformed(http.StatusForbidden, jsonrpc.InvalidRequest, "pages of this origin may not call this server")
		a.reason = reasonOrigin
		return a
	}
	if x.r.Method != http.MethodOptions {
		return nil
	}
	x.unaudited = true
	return &answer{status: http.StatusNoContent, header: http.Header{
		"Access-Control-Allow-Methods": {allowedMethods},
		"Access-Control-Allow-Headers": {strings.Join(allowedHeaders(x.r.Header), ", ")},
		"Access-Control-Max-Age":       {preflightMaxAge},
	}}
}

// allows reports whether the Origin headers of a request name one origin that may
// call.
func (s *site) allows(origins []string) bool {
	return len(origins) == 1 && (slices.Contains(s.origins, anyOrigin) || slices.Contains(s.origins, origins[0]))
}

// allowedHeaders names what MCP clients send. Headers of the mcp- family are
// allowed by name as they are asked for, since CORS knows no prefixes.
func allowedHeaders(asked http.Header) []string {
	names := []string{"authorization", "dpop", "content-type", "accept", "last-event-id", "mcp-session-id", "mcp-protocol-version"}
	for list := range slices.Values(asked.Values("Access-Control-Request-Headers")) {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if len(names) < maxAskedHeaders && strings.HasPrefix(name, "mcp-") && plainHeader(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// allowOrigin lets the page read the response. The routes that answer everybody
// overwrite it.
func (x *exchange) allowOrigin(header http.Header) {
	origins := x.r.Header.Values("Origin")
	if x.site == nil || !x.site.allows(origins) {
		return
	}
	header.Set("Access-Control-Allow-Origin", origins[0])
	header.Add("Vary", "Origin")
	header.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version")
}
