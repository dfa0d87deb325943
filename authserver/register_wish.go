package authserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// Bounds on what a client may register.
const (
	maxRedirectURIs     = 10
	maxClientNameLength = 200 // characters
)

// registrationWish is the part of RFC 7591 §2 that this server acts on. What is
// not here is neither kept nor echoed: a logo or a key set of a stranger would
// have to be fetched or shown. A "scope" does not limit the client: deployed
// clients register with one and ask for more later.
type registrationWish struct {
	RedirectURIs  []string `json:"redirect_uris"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Name          string   `json:"client_name"`
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

// grant is what of the wish is granted under the policy. Its errors are
// *oauth.Error.
func (g *registrationWish) grant(policy catalog.Registration) (store.Registration, error) {
	registration := store.Registration{AuthMethod: g.AuthMethod}
	if registration.AuthMethod == "" {
		registration.AuthMethod = oauth.AuthMethodClientSecretBasic // RFC 7591 §2
	}
	var err error
	if err = knownAuthMethod(registration.AuthMethod); err == nil {
		registration.GrantTypes, err = g.grantTypes()
	}
	if err == nil {
		err = g.responseTypes()
	}
	if err == nil {
		registration.RedirectURIs, err = g.redirectURIs(policy)
	}
	if err == nil {
		registration.Name, err = cleanName(g.Name)
	}
	return registration, err
}

func knownAuthMethod(method string) error {
	switch method {
	case oauth.AuthMethodNone, oauth.AuthMethodClientSecretBasic, oauth.AuthMethodClientSecretPost:
		return nil
	}
	return oauth.Errorf(oauth.InvalidClientMetadata,
		"token_endpoint_auth_method must be none, client_secret_basic or client_secret_post")
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

func (g *registrationWish) redirectURIs(policy catalog.Registration) ([]string, error) {
	if len(g.RedirectURIs) == 0 || len(g.RedirectURIs) > maxRedirectURIs {
		return nil, oauth.Errorf(oauth.InvalidRedirectURI, "redirect_uris must hold 1 to %d URIs", maxRedirectURIs)
	}
	var kept []string
	for i, uri := range g.RedirectURIs {
		if err := client.AllowedRedirect(policy, uri); err != nil {
			return nil, oauth.Errorf(oauth.InvalidRedirectURI, "redirect_uris[%d]: %w", i, err)
		}
		if !slices.Contains(kept, uri) {
			kept = append(kept, uri)
		}
	}
	return kept, nil
}

// cleanName refuses characters that could make the consent page show something
// else than was registered: controls and those that turn the direction of text.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) > maxClientNameLength {
		return "", oauth.Errorf(oauth.InvalidClientMetadata, "client_name is longer than %d characters", maxClientNameLength)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", oauth.Errorf(oauth.InvalidClientMetadata, "client_name holds characters that cannot be printed")
	}
	return name, nil
}
