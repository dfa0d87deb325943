package authserver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	// pushedLifetime is how long a client may take to send the browser.
	pushedLifetime = 90 * time.Second
)

// pushable are the parameters that authorize reads: nothing else is kept, neither
// secrets nor what a stranger could fill the table with.
var pushable = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "state", "nonce", "scope", "resource", "request",
	"code_challenge", "code_challenge_method", "dpop_jkt", "prompt", "max_age", "login_hint", "acr_values", "id_token_hint",
}

// pushedResponse is the answer of RFC 9126 §2.2.
type pushedResponse struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// par is the pushed authorization request endpoint (RFC 9126). What is pushed
// passes the same checks as what comes by the browser, and passes them again when
// it is used.
func (s *Server) par(w http.ResponseWriter, r *request) {
	uri, err := s.push(w, r)
	if err != nil {
		s.writeTokenError(w, &tokenRequest{request: r, now: s.opts.Now()}, err)
		return
	}
	s.writeJSON(w, r.Request, http.StatusCreated, pushedResponse{RequestURI: uri, ExpiresIn: int64(pushedLifetime.Seconds())})
}

func (s *Server) push(w http.ResponseWriter, r *request) (string, error) {
	if err := s.throttle(w, r, take{s.limits.pushed, s.limitKey(r.Request)}, take{s.limits.allPushed, ""}); err != nil {
		return "", err
	}
	form, err := readForm(w, r.Request)
	if err == nil {
		err = onlyOnce(form)
	}
	if err != nil {
		return "", err
	}
	if form.Get("request_uri") != "" {
		return "", oauth.Errorf(oauth.InvalidRequest, "request_uri cannot be pushed")
	}
	cl, err := r.issuer.clients.Authenticate(r.Context(), r.Request, form, r.issuer.assertionAudiences("/oauth/par"))
	if err != nil {
		return "", err
	}
	form.Set("client_id", cl.ID)
	maps.DeleteFunc(form, func(name string, _ []string) bool { return !slices.Contains(pushable, name) })
	if err := s.bindPushed(r, form); err != nil {
		return "", err
	}
	a := &authorization{ctx: r.Context(), issuer: r.issuer, params: form, pushed: true, keys: s.opts.Keys()}
	if err := a.run(append(a.proveDestination(), a.checkRequest()...)); err != nil {
		return "", err
	}
	return s.keepPushed(r, form)
}

// bindPushed lets a client bind the code by a proof of its key instead of naming
// the key (RFC 9449 §10.1).
func (s *Server) bindPushed(r *request, form url.Values) error {
	key, err := s.keyProof(r, "/oauth/par", s.opts.Now())
	if err != nil || key == nil {
		return err
	}
	if named := form.Get("dpop_jkt"); named != "" && named != key.Thumbprint {
		return oauth.Errorf(oauth.InvalidDPoPProof, "dpop_jkt names another key than the DPoP proof is of")
	}
	form.Set("dpop_jkt", key.Thumbprint)
	return s.useProof(r.Context(), key, s.opts.Now())
}

func (s *Server) keepPushed(r *request, form url.Values) (string, error) {
	uri := requestURIPrefix + credential.Random(32)
	err := s.opts.Store.CreatePushedRequest(r.Context(), store.PushedRequest{
		Hash: credential.HashOf(uri), ClientID: form.Get("client_id"), Issuer: r.issuer.String(),
		Parameters: form.Encode(), Expires: s.opts.Now().Add(pushedLifetime),
	})
	if err != nil {
		return "", fmt.Errorf("keep a pushed request: %w", err)
	}
	return uri, nil
}

// takePushed returns the parameters that a request refers to, once. What else the
// browser brings counts for nothing (RFC 9126 §4, RFC 9101 §6.3).
func (s *Server) takePushed(r *request, params url.Values) (url.Values, error) {
	uri := params.Get("request_uri")
	unusable := oauth.Errorf(oauth.InvalidRequestURI, "the pushed request is unknown, used, expired, or another client's; the app has to push it again")
	if len(params["request_uri"]) > 1 || !strings.HasPrefix(uri, requestURIPrefix) {
		return nil, unusable
	}
	pushed, err := s.opts.Store.TakePushedRequest(r.Context(), credential.HashOf(uri), s.opts.Now())
	if errors.Is(err, store.ErrNotFound) {
		return nil, unusable.WithCause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("take a pushed request: %w", err)
	}
	if pushed.ClientID != params.Get("client_id") || pushed.Issuer != r.issuer.String() {
		return nil, unusable
	}
	return parseParameters(pushed.Parameters)
}
