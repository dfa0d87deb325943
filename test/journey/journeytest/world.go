package journeytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// The one user, and the scopes with the tools they open.
const (
	Username = "alice"
	Password = "correct horse battery staple"
	Email    = "alice@example.com"

	ScopeRead  = "todo:read"
	ScopeWrite = "todo:write"
)

// Faults are promises that a World breaks; the zero value keeps all.
type Faults struct {
	// NoScopeHint leaves scope out of the 401 challenge.
	NoScopeHint bool
	// WrongIssuer names another issuer beside the code.
	WrongIssuer bool
	// ExtraScope grants todo:write unasked.
	ExtraScope bool
	// Unenforced lets every token call every tool.
	Unenforced bool
	// CarriesOut refuses a call, but only after the server carried it out.
	CarriesOut bool
	// NoWriteScope names no scope in the 403 challenge.
	NoWriteScope bool
	// KeepsRefresh answers a refresh with the same refresh token.
	KeepsRefresh bool
	// IgnoresRevocation answers 200 and revokes nothing.
	IgnoresRevocation bool
	// KeepsAccess revokes the refresh token alone: access tokens live until they expire.
	KeepsAccess bool
}

// World is a running authorization server and todo server.
type World struct {
	// MCPURL is the protected endpoint.
	MCPURL string
	// Store holds the tasks behind it.
	Store *tasks.Store

	faults Faults
	todo   http.Handler
	// asURL and rsURL are the origins of authorization and resource server.
	asURL, rsURL string

	mu       sync.Mutex
	clients  map[string]registration
	codes    map[string]grant
	access   map[string]grant
	refresh  map[string]grant
	requests []string
}

// registration is a registered client.
type registration struct {
	redirectURIs []string
}

// grant is what a user agreed to.
type grant struct {
	client, redirect, challenge, scope string
}

// New starts a world that ends with the test.
func New(t testing.TB, faults Faults) *World {
	t.Helper()
	store := &tasks.Store{}
	w := &World{
		Store: store, faults: faults, todo: tasks.NewServer(store),
		clients: map[string]registration{}, codes: map[string]grant{},
		access: map[string]grant{}, refresh: map[string]grant{},
	}
	// Handlers read the URLs, so these are set before anything is served.
	as, rs := httptest.NewUnstartedServer(w.log(w.serverRoutes())), httptest.NewUnstartedServer(w.log(w.resourceRoutes()))
	w.asURL, w.rsURL = "http://"+as.Listener.Addr().String(), "http://"+rs.Listener.Addr().String()
	w.MCPURL = w.rsURL + "/mcp"
	as.Start()
	rs.Start()
	t.Cleanup(func() {
		rs.CloseClientConnections() // event streams would hold Close
		rs.Close()
		as.Close()
	})
	return w
}

// Requests lists what clients asked for so far, each as "METHOD /path".
func (w *World) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.requests...)
}

func (w *World) log(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests = append(w.requests, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		next.ServeHTTP(rw, r)
	})
}

func (w *World) issuer() string { return w.asURL + "/resources/todo" }

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v) // the client went away
}

func writeError(rw http.ResponseWriter, status int, code string) {
	writeJSON(rw, status, map[string]string{"error": code})
}

// covers reports whether the scopes granted hold all those needed.
func covers(granted, needed string) bool {
	have := " " + granted + " "
	for scope := range strings.FieldsSeq(needed) {
		if !strings.Contains(have, fmt.Sprintf(" %s ", scope)) {
			return false
		}
	}
	return true
}
