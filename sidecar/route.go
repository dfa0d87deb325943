package sidecar

import (
	"net/http"
	"strings"

	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

const allowedMethods = "GET, POST, DELETE, OPTIONS"

// route answers what is not for the MCP server, and finds the path there of what
// is. It looks at the path as it came, before any decoding: where two programs
// could read one path in two ways, nothing is passed on.
func (x *exchange) route() *answer {
	path := x.r.URL.EscapedPath()
	if a := x.answerMetadata(path); a != nil {
		return a
	}
	if headerSize(x.r) > x.site.maxHeader {
		return malformed(http.StatusRequestHeaderFieldsTooLarge, jsonrpc.InvalidRequest, "the head of the request is too long")
	}
	if message := x.site.policy.Upstream.MessagePath; message != "" && path == message {
		return x.routeTo(message)
	}
	rest, below := strings.CutPrefix(path, strings.TrimSuffix(x.site.path, "/"))
	switch {
	case path == x.site.path:
		return x.routeTo(x.site.upstream.Path)
	case below && strings.HasPrefix(rest, "/") && unambiguous(rest):
		return x.routeTo(strings.TrimSuffix(x.site.upstream.Path, "/") + rest)
	}
	return x.notFound("there is nothing here; the MCP server is at " + x.site.policy.Resource)
}

// routeTo takes a path at the MCP server for the request's. Where clients of HTTP with SSE
// post is known by every spelling that some server takes for it.
func (x *exchange) routeTo(path string) *answer {
	x.target = path
	if message := x.site.policy.Upstream.MessagePath; message != "" {
		x.posts = strings.EqualFold(strings.TrimRight(path, "/"), strings.TrimRight(message, "/"))
	}
	return nil
}

// headerSize is about the length of a request's head.
func headerSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

func (x *exchange) notFound(message string) *answer {
	x.unaudited = true
	return malformed(http.StatusNotFound, jsonrpc.InvalidRequest, message)
}

// unambiguous reports whether every program reads a path in the same way: no
// encoding, no parameters, no backslashes, no dot segments, no empty segments but
// one at the end.
func unambiguous(path string) bool {
	for i := range len(path) {
		if !isPlainPath(path[i]) {
			return false
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "." || segment == ".." || segment == ".well-known" || segment == "" && !last {
			return false
		}
	}
	return true
}

func isPlainPath(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("/-._~!$&'()*+,=:@", c) >= 0
	}
}

// checkMethod keeps to the methods of streamable HTTP. It stands before the token
// is looked at, and tells strangers nothing that the specification does not.
func (x *exchange) checkMethod() *answer {
	switch x.r.Method {
	case http.MethodPost, http.MethodGet, http.MethodDelete:
		return nil
	case http.MethodOptions:
		x.unaudited = true
		return &answer{status: http.StatusNoContent, header: http.Header{"Allow": {allowedMethods}}}
	default:
		a := malformed(http.StatusMethodNotAllowed, jsonrpc.InvalidRequest, "the method is not one of streamable HTTP")
		a.header = http.Header{"Allow": {allowedMethods}}
		return a
	}
}
