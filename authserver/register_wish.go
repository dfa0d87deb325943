package authserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/jwks"
)

// Bounds on what a client may register.
const (
	maxRedirectURIs = 10
	maxKeysSize     = 16 << 10 // bytes
)

// registrationWish is the part of RFC 7591 §2 that this server acts on. What is
// not here is neither kept nor echoed: a logo of a stranger would have to be
// fetched and shown. A "scope" does not limit the client: deployed clients register
// with one and ask for more later.
type registrationWish struct {
	RedirectURIs          []string        `json:"redirect_uris"`
	GrantTypes            []string        `json:"grant_types"`
	ResponseTypes         []string        `json:"response_types"`
	AuthMethod            string          `json:"token_endpoint_auth_method"`
	Name                  string          `json:"client_name"`
	JWKS                  json.RawMessage `json:"jwks"`
	JWKSURI               string          `json:"jwks_uri"`
	RequirePushedRequests bool            `json:"require_pushed_authorization_requests"`
	RequireDPoP           bool            `json:"dpop_bound_access_tokens"`

	// What RFC 7592 §2.2 has an update repeat.
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

func parseWish(body []byte) (*registrationWish, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("it is not UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return nil, errors.New("it is not an object")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	var wish registrationWish
	if err := decoder.Decode(&wish); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return &wish, nil
}

// grant is what of the wish is granted where all of the policies allow it. Its
// errors are *oauth.Error.
func (g *registrationWish) grant(policies []*catalog.Registration) (store.Registration, error) {
	registration := store.Registration{
		AuthMethod: g.AuthMethod, RequirePushedRequests: g.RequirePushedRequests, RequireDPoP: g.RequireDPoP,
	}
	if registration.AuthMethod == "" {
		registration.AuthMethod = oauth.AuthMethodClientSecretBasic // RFC 7591 §2
	}
	var err error
	if err = knownAuthMethod(registration.AuthMethod); err == nil {
		registration.JWKS, registration.JWKSURI, err = g.keys(registration.AuthMethod)
	}
	if err == nil {
		registration.GrantTypes, err = g.grantTypes()
	}
	if err == nil {
		err = g.responseTypes()
	}
	if err == nil {
		registration.RedirectURIs, err = g.redirectURIs(policies)
	}
	if err == nil {
		registration.Name, err = cleanName(g.Name)
	}
	return registration, err
}

func knownAuthMethod(method string) error {
	switch method {
	case oauth.AuthMethodNone, oauth.AuthMethodClientSecretBasic, oauth.AuthMethodClientSecretPost, oauth.AuthMethodPrivateKeyJWT:
		return nil
	}
	return oauth.Errorf(oauth.InvalidClientMetadata,
		"token_endpoint_auth_method must be none, client_secret_basic, client_secret_post or private_key_jwt")
}

// keys are those with which the client will sign, kept only where it will.
func (g *registrationWish) keys(method string) (inline, uri string, err error) {
	given := len(g.JWKS) > 0 && string(g.JWKS) != "null"
	switch {
	case given && g.JWKSURI != "": // RFC 7591 §2
		return "", "", oauth.Errorf(oauth.InvalidClientMetadata, "jwks and jwks_uri exclude each other")
	case method != oauth.AuthMethodPrivateKeyJWT:
		return "", "", nil
	case given:
		if len(g.JWKS) > maxKeysSize {
			return "", "", oauth.Errorf(oauth.InvalidClientMetadata, "jwks is larger than %d KiB", maxKeysSize>>10)
		}
		if _, err := jwks.ParseWithUnnamed(g.JWKS); err != nil {
			return "", "", oauth.Errorf(oauth.InvalidClientMetadata, "jwks: %w", err)
		}
		return string(g.JWKS), "", nil
	case g.JWKSURI != "":
		return "", g.JWKSURI, validKeysURI(g.JWKSURI)
	}
	return "", "", oauth.Errorf(oauth.InvalidClientMetadata, "private_key_jwt needs jwks or jwks_uri")
}

func validKeysURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || len(uri) > oauth.MaxURLLength || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return oauth.Errorf(oauth.InvalidClientMetadata, "jwks_uri is not an https URL")
	}
	return nil
}

// grantTypes drops those that this server does not have, since clients list
// every one they know, and client_credentials: whoever registers by themselves
// needs a user, or anybody could let themselves in.
func (g *registrationWish) grantTypes() ([]string, error) {
	if len(g.GrantTypes) == 0 {
		return []string{oauth.GrantAuthorizationCode}, nil // RFC 7591 §2
	}
	if !slices.Contains(g.GrantTypes, oauth.GrantAuthorizationCode) {
		return nil, oauth.Errorf(oauth.InvalidClientMetadata, "grant_types must contain authorization_code: a client that registers itself acts for a user")
	}
	granted := []string{oauth.GrantAuthorizationCode}
	if slices.Contains(g.GrantTypes, oauth.GrantRefreshToken) {
		granted = append(granted, oauth.GrantRefreshToken)
	}
	return granted, nil
}

func (g *registrationWish) responseTypes() error {
	if len(g.ResponseTypes) > 0 && !slices.Contains(g.ResponseTypes, "code") {
		return oauth.Errorf(oauth.InvalidClientMetadata, "response_types must contain code")
	}
	return nil
}

func (g *registrationWish) redirectURIs(policies []*catalog.Registration) ([]string, error) {
	if len(g.RedirectURIs) == 0 || len(g.RedirectURIs) > maxRedirectURIs {
		return nil, oauth.Errorf(oauth.InvalidRedirectURI, "redirect_uris must hold 1 to %d URIs", maxRedirectURIs)
	}
	var kept []string
	for i, uri := range g.RedirectURIs {
		for _, policy := range policies {
			if err := client.AllowedRedirect(policy, uri); err != nil {
				return nil, oauth.Errorf(oauth.InvalidRedirectURI, "redirect_uris[%d]: %w", i, err)
			}
		}
		if !slices.Contains(kept, uri) {
			kept = append(kept, uri)
		}
	}
	return kept, nil
}

func cleanName(name string) (string, error) {
	cleaned, err := client.CleanName(name)
	if err != nil {
		return "", oauth.Errorf(oauth.InvalidClientMetadata, "client_name: %w", err)
	}
	return cleaned, nil
}
