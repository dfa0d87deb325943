package authserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

// errorBody is the error response of RFC 6749 §5.2.
type errorBody struct {
	Error       oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
}

// writeJSON writes an answer that nobody may cache.
func (s *Server) writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		s.opts.Logger.ErrorContext(r.Context(), "an answer could not be encoded", "error", err)
		status, data = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client may have gone
}

// writeDocument writes JSON that is public and may be kept for maxAge seconds.
func writeDocument(w http.ResponseWriter, document []byte, maxAge string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age="+maxAge)
	_, _ = w.Write(document) // the client may have gone
}

// writeError writes any error as OAuth's JSON. What is not an *oauth.Error is
// ours to know and becomes server_error.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := s.oauthError(r.Context(), err)
	if e.Code == oauth.InvalidClient && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauth"`) // RFC 6749 §5.2
	}
	s.writeJSON(w, r, e.HTTPStatus(), errorBody{Error: e.Code, Description: e.Description})
}

// oauthError is what a stranger may know of err; the rest is logged here.
func (s *Server) oauthError(ctx context.Context, err error) *oauth.Error {
	var e *oauth.Error
	if !errors.As(err, &e) {
		if ctx.Err() == nil {
			s.opts.Logger.ErrorContext(ctx, "a request failed", "error", err)
		}
		return oauth.Errorf(oauth.ServerError, "the server failed; try again in a moment")
	}
	if cause := e.Unwrap(); cause != nil {
		s.opts.Logger.DebugContext(ctx, "a request was refused", "code", e.Code, "cause", cause)
	}
	plain := *e
	plain.Description = describable(e.Description)
	return &plain
}

// describable keeps to the characters of an error_description (RFC 6749 §5.2),
// whatever a description quotes.
func describable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < 0x20 || r > 0x7e:
			return '?'
		}
		return r
	}, text)
}
