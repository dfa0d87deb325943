package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

const wellKnown = "/.well-known/"

// request is one HTTP request with the snapshot and the issuer that answer it.
type request struct {
	*http.Request
	issuer issuer
	// rest is what follows the endpoint's path, for endpoints that have children.
	rest string
}

// endpoint is how one path is served.
type endpoint struct {
	methods []string
	// perResource says that the endpoint exists below every resource issuer too.
	perResource bool
	// cors lets scripts of any origin call it; never set where cookies count.
	cors  bool
	serve func(http.ResponseWriter, *request)
}

// readOnly are the methods of public documents. Pages answer no HEAD: they may
// set a cookie, and a callback spends what it carries.
func readOnly() []string { return []string{"GET", "HEAD"} }

// Paths that have children: what follows is the request's rest.
const (
	callbackPath     = "/oauth/callback/"
	registrationPath = "/client_register/"
)

func (s *Server) routes() map[string]endpoint {
	get, post, both := []string{"GET"}, []string{"POST"}, []string{"GET", "POST"}
	return map[string]endpoint{
		"/oauth/authorize":  {methods: both, perResource: true, serve: s.authorize},
		"/oauth/par":        {methods: post, perResource: true, cors: true, serve: s.par},
		"/oauth/token":      {methods: post, perResource: true, cors: true, serve: s.token},
		"/oauth/revoke":     {methods: post, perResource: true, cors: true, serve: s.revoke},
		"/oauth/introspect": {methods: post, perResource: true, serve: s.introspect},
		"/client_register":  {methods: post, perResource: true, cors: true, serve: s.register},
		registrationPath:    {methods: []string{"GET", "PUT", "DELETE"}, perResource: true, cors: true, serve: s.manage},
		"/keys":             {methods: readOnly(), cors: true, serve: s.keys},
		"/revocations":      {methods: get, serve: s.revocations},
		"/oauth/signin":     {methods: both, serve: s.signin},
		"/oauth/consent":    {methods: both, serve: s.consent},
		callbackPath:        {methods: get, serve: s.callback},
		accountPath:         {methods: both, serve: s.account},
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer s.recover(w, r)
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	path := r.URL.EscapedPath() // our paths hold nothing that is ever escaped
	if path == "/healthz" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
		return
	}
	v, err := s.view()
	if err != nil || v == nil || s.opts.Keys() == nil {
		if err != nil {
			s.opts.Logger.ErrorContext(r.Context(), "the catalog cannot be served", "error", err)
		}
		h.Set("Retry-After", "5")
		s.writeError(w, r, oauth.Errorf(oauth.TemporarilyUnavailable, "the authorization server is starting; try again in a moment"))
		return
	}
	s.dispatch(w, r, v, path)
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, v *view, path string) {
	if strings.Contains(path, wellKnown) {
		s.serveMetadata(w, r, v, path)
		return
	}
	below, ok := strings.CutPrefix(path, v.path)
	if !ok {
		s.notFound(w, r)
		return
	}
	req := &request{Request: r.WithContext(context.WithValue(r.Context(), callerKey{}, r)), issuer: issuer{view: v}}
	if id, rest, isResource := splitResource(below); isResource {
		if req.issuer, ok = v.issuer(id); !ok {
			s.notFound(w, r)
			return
		}
		below = rest
	}
	for _, parent := range []string{callbackPath, registrationPath} {
		if rest, ok := strings.CutPrefix(below, parent); ok {
			below, req.rest = parent, rest
		}
	}
	e, ok := s.endpoints[below]
	if !ok || req.issuer.resource != nil && !e.perResource {
		s.notFound(w, r)
		return
	}
	if s.preflight(w, r, e) {
		e.serve(w, req)
	}
}

// splitResource splits /resources/{id}/… of a path below the issuer's.
func splitResource(path string) (id oauth.ResourceID, rest string, ok bool) {
	below, ok := strings.CutPrefix(path, "/resources/")
	if !ok {
		return "", "", false
	}
	name, _, _ := strings.Cut(below, "/")
	return oauth.ResourceID(name), below[len(name):], name != ""
}

// preflight answers what no endpoint needs to see: CORS preflights and methods
// that it does not have. It reports whether to go on.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request, e endpoint) bool {
	h := w.Header()
	if e.cors {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, DPoP-Nonce")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", strings.Join(e.methods, ", "))
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, MCP-Protocol-Version")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return false
		}
	}
	if !slices.Contains(e.methods, r.Method) {
		h.Set("Allow", strings.Join(e.methods, ", "))
		s.writeError(w, r, oauth.Errorf(oauth.InvalidRequest, "this endpoint answers %s only", strings.Join(e.methods, " and ")).
			WithStatus(http.StatusMethodNotAllowed))
		return false
	}
	return true
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.writeError(w, r, oauth.Errorf(oauth.InvalidRequest, "there is nothing at this path").WithStatus(http.StatusNotFound))
}

// recover turns a panic into an answer without details.
func (s *Server) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	s.opts.Logger.ErrorContext(r.Context(), "a handler panicked", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	s.writeError(w, r, oauth.Errorf(oauth.ServerError, "the server failed; this is not your fault"))
}
