package journey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// refresh is step 10: RFC 6749 §6, with rotation (OAuth 2.1 §4.3.1).
func (s *story) refresh(ctx context.Context) (string, error) {
	old, mark := s.client.tokens.held(), s.client.watch.mark()
	s.client.tokens.expire()
	if _, err := s.client.session.ListTools(ctx, nil); err != nil {
		return "", expected("tools/list to work with the refreshed token", "", err)
	}
	e, ok := s.client.watch.last(mark, s.posted(s.server.TokenEndpoint))
	if !ok {
		return "", expected("a refresh at "+s.server.TokenEndpoint, "none", nil)
	}
	s.sayExchange(e)
	got := s.client.tokens.held()
	s.out.say("access token", named(old.AccessToken)+"  →  "+named(got.AccessToken))
	s.out.say("refresh token", named(old.RefreshToken)+"  →  "+named(got.RefreshToken))
	s.out.say("granted", scopes(got))
	switch {
	case e.form().Get("grant_type") != "refresh_token":
		return "", expected("grant_type=refresh_token", e.form().Get("grant_type"), nil)
	case got.AccessToken == old.AccessToken:
		return "", expected("a new access token", "the old one", nil)
	case got.RefreshToken == old.RefreshToken:
		return "", expected("a rotated refresh token", "the old one", nil)
	}
	if scope, ok := subset(strings.Fields(scopes(old)), strings.Fields(scopes(got))); !ok {
		return "", expected("the scopes granted before", scopes(got)+" without "+scope, nil)
	}
	return "both tokens are new, and the new one opens the server", nil
}

// revoke is step 11: RFC 7009. The SDK has no revocation, so the client's HTTP
// client makes the request; that refreshing fails is the SDK's finding again.
func (s *story) revoke(ctx context.Context) (string, error) {
	access := s.client.tokens.held().AccessToken
	form := url.Values{
		"token":           {s.client.tokens.held().RefreshToken},
		"token_type_hint": {"refresh_token"},
		"client_id":       {s.clientID},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.RevocationEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := s.client.http.Do(req)
	if err != nil {
		return "", expected("an answer from "+s.server.RevocationEndpoint, "", err)
	}
	defer response.Body.Close()
	s.sayExchange(exchange{method: req.Method, url: req.URL, status: response.StatusCode})
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, maxPageText)) // only for the message
		return "", expected("200 OK", response.Status+" "+string(body), nil)
	}
	revoked := time.Now()
	if err := s.checkRevoked(); err != nil {
		return "", err
	}
	if err := s.awaitRefusal(ctx, access); err != nil {
		return "", err
	}
	return fmt.Sprintf("the refresh token is dead at once, the access token after %d ms", time.Since(revoked).Milliseconds()), nil
}

// awaitRefusal calls with an access token, as somebody would who took it, until the
// server refuses it.
func (s *story) awaitRefusal(ctx context.Context, access string) error {
	const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	status := ""
	for deadline := time.Now().Add(revocationPatience); time.Now().Before(deadline); {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.MCPURL, strings.NewReader(ping))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		req.Header.Set("Authorization", "Bearer "+access)
		response, err := s.client.watch.next.RoundTrip(req)
		if err != nil {
			return expected("an answer from "+s.opts.MCPURL, "", err)
		}
		_ = response.Body.Close() // its status says all
		if response.StatusCode == http.StatusUnauthorized {
			s.out.say("access token", fmt.Sprintf("%s → %s", named(access), response.Status))
			return nil
		}
		status = response.Status
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return expected(fmt.Sprintf("401 for the revoked grant's access token within %s", revocationPatience), status, nil)
}

// revocationPatience is more than the five seconds in which a revocation counts
// everywhere, for machines that are busy.
const revocationPatience = 15 * time.Second

func (s *story) checkRevoked() error {
	const want = "refreshing to fail with invalid_grant"
	s.client.tokens.expire()
	_, err := s.client.tokens.Token()
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return expected(want, "a new token", nil)
	case !errors.As(err, &refused):
		return expected(want, "", err)
	}
	s.out.say("refresh", fmt.Sprintf("POST %s → %s %s", s.server.TokenEndpoint, refused.Response.Status, refused.ErrorCode))
	if refused.ErrorCode != "invalid_grant" {
		return expected(want, refused.ErrorCode, nil)
	}
	return nil
}
