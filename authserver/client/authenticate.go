package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

// assertionType is the one client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Audiences are the names under which a client's assertion may address the server.
type Audiences struct {
	// Issuer is the issuer that was called; a strict catalog accepts it alone.
	Issuer string
	// Endpoint is the URL that was called, and TokenEndpoint the issuer's.
	Endpoint, TokenEndpoint string
}

// Authenticate finds the client that sent a request and checks its proof (RFC 6749
// §2.3, RFC 7523 §2.2). The form's parameters are known to occur once. Its errors
// are *oauth.Error, or a failure of the store. It changes nothing but that it
// remembers a good assertion as used, so a failed attempt costs the client no code.
func (r *Resolver) Authenticate(ctx context.Context, req *http.Request, form url.Values, aud Audiences) (*Client, error) {
	proofs, err := readProofs(req, form)
	if err != nil {
		return nil, err
	}
	// A Basic header may have been written in two ways; the reading that names a
	// client and proves it is the right one.
	var refusal error
	for _, proof := range proofs {
		client, err := r.prove(ctx, proof, aud)
		if refused := (*oauth.Error)(nil); err == nil || !errors.As(err, &refused) {
			return client, err
		}
		refusal = err
	}
	return nil, refusal
}

func (r *Resolver) prove(ctx context.Context, p proof, aud Audiences) (*Client, error) {
	client, err := r.Resolve(ctx, p.id)
	if err != nil {
		return nil, unresolved(err)
	}
	if p.method != client.AuthMethod {
		return nil, oauth.Errorf(oauth.InvalidClient, "this client authenticates by %s, not by %s", client.AuthMethod, p.method)
	}
	switch p.method {
	case oauth.AuthMethodNone:
		return client, nil
	case oauth.AuthMethodPrivateKeyJWT:
		err = r.verifyAssertion(ctx, client, p.assertion, aud)
	default:
		err = client.verifySecret(p.secret)
	}
	if err != nil {
		return nil, err
	}
	return client, nil
}

// unresolved is the answer to an error of Resolve.
func unresolved(err error) error {
	var document *DocumentError
	switch {
	case errors.Is(err, ErrBlocked):
		return oauth.Errorf(oauth.InvalidClient, "the operators of this server have blocked this client").WithCause(err)
	case errors.Is(err, ErrUnknown):
		return oauth.Errorf(oauth.InvalidClient, "no client has this client_id; register it again").WithCause(err)
	case errors.As(err, &document) && document.Temporary:
		return oauth.Errorf(oauth.TemporarilyUnavailable, "the client's metadata document cannot be used: %s", document.Reason).WithCause(err)
	case errors.As(err, &document):
		return oauth.Errorf(oauth.InvalidClient, "the client's metadata document cannot be used: %s", document.Reason).WithCause(err)
	}
	return err
}

// proof is one reading of how a request authenticates its client.
type proof struct {
	id string
	// method is none where there is neither secret nor assertion, whatever carried
	// the id.
	method            string
	secret, assertion string
}

func newProof(id, secret, method string) proof {
	if secret == "" {
		method = oauth.AuthMethodNone
	}
	return proof{id: id, secret: secret, method: method}
}

func errTwoWays() error {
	return oauth.Errorf(oauth.InvalidRequest, "the request authenticates its client in two ways at once")
}

func readProofs(req *http.Request, form url.Values) ([]proof, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	headers := req.Header.Values("Authorization")
	asserts := form.Get("client_assertion") != "" || form.Get("client_assertion_type") != ""
	switch {
	case len(headers) > 1:
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request has more than one Authorization header")
	case asserts && (len(headers) > 0 || secret != ""):
		return nil, errTwoWays()
	case asserts:
		return readAssertion(id, form.Get("client_assertion"), form.Get("client_assertion_type"))
	case len(headers) == 1:
		return readBasic(headers[0], id, secret)
	case id == "":
		return nil, oauth.Errorf(oauth.InvalidClient, "the request names no client: send client_id or HTTP Basic authentication")
	}
	return []proof{newProof(id, secret, oauth.AuthMethodClientSecretPost)}, nil
}

// readBasic reads HTTP Basic credentials. RFC 6749 §2.3.1 wants both parts
// form-encoded first, which many clients do not do: both readings are returned.
func readBasic(header, bodyID, bodySecret string) ([]proof, error) {
	id, secret, ok := splitBasic(header)
	if !ok {
		return nil, oauth.Errorf(oauth.InvalidClient, "the Authorization header is not valid HTTP Basic authentication")
	}
	readings := []proof{newProof(id, secret, oauth.AuthMethodClientSecretBasic)}
	decodedID, errID := url.QueryUnescape(id)
	decodedSecret, errSecret := url.QueryUnescape(secret)
	if errID == nil && errSecret == nil && (decodedID != id || decodedSecret != secret) {
		readings = append([]proof{newProof(decodedID, decodedSecret, oauth.AuthMethodClientSecretBasic)}, readings...)
	}
	if secret != "" && bodySecret != "" {
		return nil, errTwoWays()
	}
	if bodyID == "" {
		return readings, nil
	}
	kept := readings[:0:0]
	for _, reading := range readings {
		if reading.id != bodyID {
			continue
		}
		if bodySecret != "" {
			reading = newProof(bodyID, bodySecret, oauth.AuthMethodClientSecretPost)
		}
		kept = append(kept, reading)
	}
	if len(kept) == 0 {
		return nil, oauth.Errorf(oauth.InvalidRequest, "client_id differs from the one in the Authorization header")
	}
	return kept, nil
}

func splitBasic(header string) (id, secret string, ok bool) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(decoded), ":")
	return id, secret, ok && id != ""
}

// verifySecret compares with every living secret, however early one matches.
func (c *Client) verifySecret(secret string) error {
	matched := false
	for _, hash := range c.secrets {
		matched = hash.Matches(secret) || matched
	}
	if !matched {
		return oauth.Errorf(oauth.InvalidClient, "the client's secret is wrong")
	}
	return nil
}
