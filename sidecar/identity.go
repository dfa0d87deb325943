package sidecar

import (
	"net"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/mcpauth/mcpauth/sidecar/relay"
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

// writeHeaders turns the client's headers into those that the MCP server may believe. An
// answer that will be looked at must not be compressed.
func (x *exchange) writeHeaders(to *relay.Request, inspected bool) {
	dropped := x.r.Header["Connection"]
	for name, values := range x.r.Header {
		switch {
		case !passes(name), nominated(name, dropped), repeats(values, x.token),
			inspected && name == "Accept-Encoding", x.span.replaces(name):
			continue
		}
		for _, value := range values {
			to.Add(name, value)
		}
	}
	if httpguts.HeaderValuesContainsToken(x.r.Header["Te"], "trailers") {
		to.Add("Te", "trailers")
	}
	add := func(name, value string) {
		if value != "" {
			to.Add(name, value)
		}
	}
	add(HeaderSubject, x.claims.Subject)
	add(HeaderEmail, x.claims.Email)
	add(HeaderClient, x.claims.ClientID)
	add(HeaderScope, x.claims.Scope.String())
	add(HeaderOrganization, x.claims.Organization)
	x.span.propagate(to)
	// Host and scheme are what users type, not what the request says of itself.
	to.Add("X-Forwarded-Host", x.site.public.Host)
	to.Add("X-Forwarded-Proto", x.site.public.Scheme)
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		to.Add("X-Forwarded-For", host)
	}
}

// passes reports whether a header of a client's is for the MCP server.
func passes(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return !hopByHop(name) && !forged(name)
}

// hopByHop are the headers about one connection (RFC 9110 §7.6.1), and those by which a
// message is framed, which the relay writes itself. name is canonical.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings", "Content-Length", "Host", "Expect":
		return true
	}
	return false
}

// nominated reports whether a Connection header makes a header one about the connection.
func nominated(name string, connection []string) bool {
	return len(connection) > 0 && httpguts.HeaderValuesContainsToken(connection, name)
}

// forged reports the headers of a client that would let it speak for the sidecar:
// the credentials that end here, our own names, the addresses that only a trusted
// proxy may name, and those by which frameworks replace the path or the method that
// was authorised. Names with other characters than letters, digits and
// hyphens go as well, since CGI-like servers read X_Mcp_Auth_Subject as ours. name is
// canonical.
func forged(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Dpop", "Forwarded", "X-Real-Ip", "True-Client-Ip",
		"X-Original-Url", "X-Rewrite-Url", "X-Original-Host",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override":
		return true
	}
	return strings.HasPrefix(name, "X-Mcp-Auth-") || strings.HasPrefix(name, "X-Forwarded-") || !plainHeader(name)
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

// copyHeaders hands the MCP server's headers on: all but those about its connection to
// us, and what it says about CORS, which is not its to say: the policy names the
// origins.
func copyHeaders(to, from http.Header) {
	dropped := from["Connection"]
	for name, values := range from {
		switch {
		case name == "Content-Length": // frames this connection's message as well
		case hopByHop(name), nominated(name, dropped), strings.HasPrefix(name, "Access-Control-"):
			continue
		}
		to[name] = values
	}
}
