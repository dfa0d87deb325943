package sidecar

import (
	"net"
	"net/http"
	"strings"
)

// The headers that tell the MCP server who calls. A claim that the token does not
// carry leaves its header out.
const (
	HeaderSubject      = "X-Mcp-Auth-Subject"
	HeaderEmail        = "X-Mcp-Auth-Email"
	HeaderClient       = "X-Mcp-Auth-Client"
	HeaderScope        = "X-Mcp-Auth-Scope"
	HeaderOrganization = "X-Mcp-Auth-Organization"
)

// identify turns the client's headers into those that the MCP server may believe.
func (x *exchange) identify(header http.Header) {
	for name, values := range header {
		if forged(name) || repeats(values, x.token) {
			delete(header, name)
		}
	}
	for name, value := range map[string]string{
		HeaderSubject:      x.claims.Subject,
		HeaderEmail:        x.claims.Email,
		HeaderClient:       x.claims.ClientID,
		HeaderScope:        x.claims.Scope.String(),
		HeaderOrganization: x.claims.Organization,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	// Host and scheme are what users type, not what the request says of itself.
	header.Set("X-Forwarded-Host", x.site.public.Host)
	header.Set("X-Forwarded-Proto", x.site.public.Scheme)
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		header.Set("X-Forwarded-For", host)
	}
}

// forged reports the headers of a client that would let it speak for the sidecar:
// the credentials that end here, our own names, the addresses that only a trusted
// proxy may name, those by which frameworks replace the path or the method that
// was authorised, and those that would turn the connection into one whose messages
// nobody reads. Names with other characters than letters, digits and
// hyphens go as well, since CGI-like servers read X_Mcp_Auth_Subject as ours.
func forged(name string) bool {
	if !plainHeader(name) {
		return true
	}
	name = strings.ToLower(name)
	switch name {
	case "authorization", "proxy-authorization", "dpop", "forwarded", "x-real-ip", "true-client-ip",
		"x-original-url", "x-rewrite-url", "x-original-host",
		"x-http-method", "x-http-method-override", "x-method-override",
		"expect", "connection", "upgrade", "http2-settings":
		return true
	}
	return strings.HasPrefix(name, "x-mcp-auth-") || strings.HasPrefix(name, "x-forwarded-")
}

func plainHeader(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// repeats reports whether a client sent its token in another header as well.
func repeats(values []string, token string) bool {
	for _, value := range values {
		if strings.Contains(value, token) {
			return true
		}
	}
	return false
}
