package client

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/jwks"
)

// maxDocumentRedirects bounds the redirect URIs of a metadata document.
const maxDocumentRedirects = 20

// document is what counts of a client's metadata document.
type document struct {
	name, uri     string
	redirectURIs  []string
	grantTypes    []string
	authMethod    string
	keys, keysURI string

	requirePushed, requireDPoP bool
}

// fault is what is wrong with a document: text for people, which never quotes it.
type fault string

// Error implements error.
func (f fault) Error() string { return string(f) }

// parseDocument reads the metadata document of the client id
// (draft-ietf-oauth-client-id-metadata-document-02 §4, with the members of RFC 7591
// §2). Members that are unknown, "scope" and "application_type" change nothing.
// checkURL says why a jwks_uri cannot be fetched. Its errors are faults.
func parseDocument(id string, data []byte, checkURL func(string) error) (*document, error) {
	object, err := assertion.ParseObject(data)
	if err != nil {
		return nil, fault("it is not a JSON object in which every name occurs once")
	}
	m := members{object: object}
	if m.text("client_id") != id {
		return nil, fault("its client_id is not its own URL, byte for byte")
	}
	d := &document{
		name: m.name(), uri: m.uri(documentHost(id)),
		redirectURIs: m.redirectURIs(), authMethod: m.authMethod(),
		requirePushed: m.flag("require_pushed_authorization_requests"), requireDPoP: m.flag("dpop_bound_access_tokens"),
	}
	d.grantTypes = m.grantTypes(d.authMethod)
	if d.authMethod == oauth.AuthMethodPrivateKeyJWT {
		d.keys, d.keysURI = m.keys(checkURL)
	}
	if m.fault != "" {
		return nil, m.fault
	}
	return d, nil
}

// members are those of a document; the first fault found in them stays.
type members struct {
	object map[string]any
	fault  fault
}

func (m *members) fail(format string, args ...any) {
	if m.fault == "" {
		m.fault = fault(fmt.Sprintf(format, args...))
	}
}

// text is a member that is a string, empty where it is absent.
func (m *members) text(name string) string {
	value, there := m.object[name]
	text, isText := value.(string)
	if there && !isText {
		m.fail("its %s is not a string", name)
	}
	return text
}

func (m *members) flag(name string) bool {
	value, there := m.object[name]
	set, isFlag := value.(bool)
	if there && !isFlag {
		m.fail("its %s is neither true nor false", name)
	}
	return set
}

// texts is a member that is an array of strings, nil where it is absent.
func (m *members) texts(name string) []string {
	value, there := m.object[name]
	items, isArray := value.([]any)
	if there && !isArray {
		m.fail("its %s is not an array", name)
	}
	var texts []string
	for _, item := range items {
		text, isText := item.(string)
		if !isText {
			m.fail("its %s holds something else than strings", name)
		}
		texts = append(texts, text)
	}
	return texts
}

func (m *members) name() string {
	name, err := CleanName(m.text("client_name"))
	if err != nil {
		m.fail("its client_name cannot be shown: %s", err)
	}
	return name
}

// uri is kept where it is on the document's own host: it must lend nobody the name
// of another.
func (m *members) uri(host string) string {
	raw := m.text("client_uri")
	u, err := url.Parse(raw)
	if err != nil || len(raw) > oauth.MaxURLLength || u.Scheme != "https" || u.User != nil || u.Hostname() != host {
		return ""
	}
	return u.String()
}

func (m *members) redirectURIs() []string {
	uris := m.texts("redirect_uris")
	if len(uris) == 0 || len(uris) > maxDocumentRedirects {
		m.fail("its redirect_uris are not 1 to %d", maxDocumentRedirects)
		return nil
	}
	for i, uri := range uris {
		if err := oauth.ValidRedirectURI(uri); err != nil {
			m.fail("its redirect_uris[%d] cannot be used: %s", i, err)
		}
	}
	if types := m.texts("response_types"); len(types) > 0 && !slices.Contains(types, "code") {
		m.fail("its response_types do not contain code")
	}
	return uris
}

// authMethod refuses shared secrets, which a public document cannot have (§4.1).
// What it leaves open is a public client.
func (m *members) authMethod() string {
	for _, name := range []string{"client_secret", "client_secret_expires_at"} {
		if _, there := m.object[name]; there {
			m.fail("it has a %s, which everybody could read", name)
		}
	}
	switch method := m.text("token_endpoint_auth_method"); method {
	case "":
		return oauth.AuthMethodNone
	case oauth.AuthMethodNone, oauth.AuthMethodPrivateKeyJWT:
		return method
	}
	m.fail("its token_endpoint_auth_method is neither none nor private_key_jwt")
	return ""
}

// grantTypes keeps those that act for a user: nobody vouches for a stranger that
// acts for itself. An identity assertion is redeemed by those alone who can prove
// that it was issued for them.
func (m *members) grantTypes(authMethod string) []string {
	listed := m.texts("grant_types")
	if len(listed) == 0 {
		return []string{oauth.GrantAuthorizationCode} // RFC 7591 §2
	}
	var granted []string
	for _, grant := range []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantJWTBearer} {
		if slices.Contains(listed, grant) && (grant != oauth.GrantJWTBearer || authMethod == oauth.AuthMethodPrivateKeyJWT) {
			granted = append(granted, grant)
		}
	}
	if len(granted) == 0 || slices.Equal(granted, []string{oauth.GrantRefreshToken}) {
		m.fail("its grant_types do not contain authorization_code")
	}
	return granted
}

// keys are those that the client signs with: written in the document, or where it
// says that they are published, not both (RFC 7591 §2).
func (m *members) keys(checkURL func(string) error) (written, uri string) {
	value, there := m.object["jwks"]
	uri = m.text("jwks_uri")
	switch {
	case there == (uri != ""):
		m.fail("private_key_jwt needs either jwks or jwks_uri")
	case uri != "":
		if err := checkURL(uri); err != nil {
			m.fail("its jwks_uri cannot be used: %s", err)
		}
	default:
		data, err := json.Marshal(value)
		if err == nil {
			_, err = jwks.ParseWithUnnamed(data)
		}
		if err != nil {
			m.fail("its jwks holds no key that could verify a signature")
		}
		written = string(data)
	}
	return written, uri
}
