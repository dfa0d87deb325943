//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
)

// tokenPath is the token endpoint of the resource's issuer.
const tokenPath = "/resources/" + string(resourceID) + "/oauth/token"

// repeated says the same thing again and again.
type repeated struct {
	request []byte
	path    string
	// first is the first answer.
	first []byte
}

func (r *repeated) Next() []byte { return r.request }

func (r *repeated) Answered(status int, body []byte) error {
	if status != http.StatusOK {
		return refused(r.path, status, body)
	}
	if r.first == nil {
		r.first = bytes.Clone(body)
	}
	return nil
}

func refused(what string, status int, body []byte) error {
	return fmt.Errorf("%s: the answer is %d: %s", what, status, body)
}

// documents are scripts that get a document.
func documents(host, path string, connections int) []*repeated {
	all := make([]*repeated, connections)
	for i := range all {
		all[i] = &repeated{request: load.Get(host, path), path: path}
	}
	return all
}

// agents are scripts that ask for tokens by client_credentials.
func agents(host, secret string, connections int) []*repeated {
	basic := base64.StdEncoding.EncodeToString([]byte(agentID + ":" + secret))
	all := make([]*repeated, connections)
	for i := range all {
		form := load.NewForm(host, tokenPath, []string{"Authorization: Basic " + basic}, url.Values{"grant_type": {oauth.GrantClientCredentials}}, "")
		all[i] = &repeated{request: form.With(""), path: oauth.GrantClientCredentials}
	}
	return all
}

// app is one connection of the client that acts for users. It redeems the codes that
// it has and then uses the refresh tokens that it got, each in turn.
type app struct {
	exchange, refresh *load.Form
	codes             []string
	tokens            [][]byte
	// refreshing says which of the two it does, and next is the token whose turn it is.
	refreshing bool
	next       int
	first      []byte
}

// Verifier and challenge of every code (RFC 7636 appendix B).
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func apps(host string, connections int) []*app {
	all := make([]*app, connections)
	for i := range all {
		all[i] = &app{
			exchange: load.NewForm(host, tokenPath, nil, url.Values{
				"grant_type": {oauth.GrantAuthorizationCode}, "client_id": {appID}, "redirect_uri": {appRedirect}, "code_verifier": {verifier},
			}, "code"),
			refresh: load.NewForm(host, tokenPath, nil, url.Values{
				"grant_type": {oauth.GrantRefreshToken}, "client_id": {appID},
			}, "refresh_token"),
		}
	}
	return all
}

func (a *app) Next() []byte {
	if a.refreshing {
		return a.refresh.With(string(a.tokens[a.next]))
	}
	if len(a.codes) == 0 {
		return nil
	}
	return a.exchange.With(a.codes[len(a.codes)-1])
}

func (a *app) Answered(status int, body []byte) error {
	if status != http.StatusOK {
		return refused(appID, status, body)
	}
	token, err := refreshToken(body)
	if err != nil {
		return err
	}
	if a.first == nil {
		a.first = bytes.Clone(body)
	}
	if a.refreshing {
		a.tokens[a.next] = append(a.tokens[a.next][:0], token...)
		a.next = (a.next + 1) % len(a.tokens)
		return nil
	}
	a.codes = a.codes[:len(a.codes)-1]
	a.tokens = append(a.tokens, bytes.Clone(token))
	return nil
}

// refreshToken finds it in an answer, where it needs no decoding.
func refreshToken(body []byte) ([]byte, error) {
	_, rest, ok := bytes.Cut(body, []byte(`"refresh_token":"`))
	token, _, closed := bytes.Cut(rest, []byte(`"`))
	if !ok || !closed {
		return nil, errors.New("the answer holds no refresh token")
	}
	return token, nil
}

// codeMakers is how many goroutines store codes at once, so that they share commits.
const codeMakers = 32

// makeCodes stores n codes of the app, as if the user had just approved, and returns
// them.
func makeCodes(ctx context.Context, kept store.Store, issuer string, n int) ([]string, error) {
	codes := make([]string, n)
	group, ctx := errgroup.WithContext(ctx)
	for worker := range codeMakers {
		group.Go(func() error {
			for i := worker; i < n; i += codeMakers {
				codes[i] = "mcpcode_" + credential.Random(32)
				if err := kept.CreateCode(ctx, newCode(codes[i], issuer)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return codes, group.Wait()
}

// newCode is what the journey to a code would have stored. It lives for longer, since
// codes are made before they are counted.
func newCode(code, issuer string) store.Code {
	now := time.Now()
	return store.Code{
		Hash: credential.HashOf(code), RedirectURI: appRedirect, RedirectURISent: true, Challenge: challenge, Expires: now.Add(time.Hour),
		Grant: store.Grant{
			ID: credential.Random(16), ClientID: appID, Resources: []oauth.ResourceID{resourceID},
			User: store.User{
				Subject: identity.SubjectOf(providerName, userName), Email: userEmail, Provider: providerName, AuthTime: now,
			},
			Issuer: oauth.ResourceIssuer(issuer, resourceID), Scope: oauth.NewScopeSet("todo:read", "todo:write"), Created: now,
			Refreshable: true, Generation: 1, IdleExpires: now.Add(30 * 24 * time.Hour), MaxExpires: now.Add(90 * 24 * time.Hour),
		},
	}
}

// deal shares the codes out.
func deal(all []*app, codes []string) {
	for i, code := range codes {
		a := all[i%len(all)]
		a.codes = append(a.codes, code)
	}
}
