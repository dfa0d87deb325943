package journeytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

const resourceMetadataPath = "/.well-known/oauth-protected-resource/mcp"

func (w *World) resourceRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+resourceMetadataPath, func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, http.StatusOK, map[string]any{
			"resource":              w.MCPURL,
			"authorization_servers": []string{w.issuer()},
			"scopes_supported":      []string{ScopeRead, ScopeWrite},
		})
	})
	mux.HandleFunc("/mcp", w.protect)
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) { writeError(rw, http.StatusNotFound, "not_found") })
	return mux
}

// protect is what a sidecar does: token, scope, identity headers.
func (w *World) protect(rw http.ResponseWriter, r *http.Request) {
	token, sent := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.mu.Lock()
	grant, valid := w.access[token]
	w.mu.Unlock()
	if !valid {
		w.challenge(rw, http.StatusUnauthorized, sent)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
	if err != nil {
		writeError(rw, http.StatusRequestEntityTooLarge, "invalid_request")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Del("Authorization")
	r.Header.Set(tasks.HeaderSubject, "user-"+Username)
	r.Header.Set(tasks.HeaderEmail, Email)
	if !w.faults.Unenforced && !covers(grant.scope, needed(body)) {
		if w.faults.CarriesOut {
			w.todo.ServeHTTP(httptest.NewRecorder(), r)
		}
		w.challenge(rw, http.StatusForbidden, true)
		return
	}
	w.todo.ServeHTTP(rw, r)
}

func (w *World) challenge(rw http.ResponseWriter, status int, withError bool) {
	value := fmt.Sprintf(`Bearer resource_metadata="%s"`, w.rsURL+resourceMetadataPath)
	switch {
	case status == http.StatusForbidden && w.faults.NoWriteScope:
		value += `, error="insufficient_scope"`
	case status == http.StatusForbidden:
		value += fmt.Sprintf(`, error="insufficient_scope", scope="%s"`, ScopeWrite)
	case !w.faults.NoScopeHint:
		value += fmt.Sprintf(`, scope="%s"`, ScopeRead)
	}
	if status == http.StatusUnauthorized && withError {
		value += `, error="invalid_token"`
	}
	rw.Header().Set("WWW-Authenticate", value)
	writeError(rw, status, "unauthorized")
}

// needed is the scope that a message needs.
func needed(body []byte) string {
	var message struct {
		Method string
		Params struct{ Name string }
	}
	if json.Unmarshal(body, &message) != nil || message.Method != "tools/call" {
		return ""
	}
	if name := message.Params.Name; strings.HasPrefix(name, "list_") || strings.HasPrefix(name, "get_") {
		return ScopeRead
	}
	return ScopeWrite
}
