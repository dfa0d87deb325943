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

// Authenticate finds the client that sent a token or revocation request and
// checks its proof (RFC 6749 §2.3). The form's parameters are known to occur
// once. Its errors are *oauth.Error, or a failure of the store; it changes
// nothing, so a failed attempt costs the client no code.
func (r *Resolver) Authenticate(ctx context.Context, req *http.Request, form url.Values) (*Client, error) {
	proofs, err := readProofs(req, form)
	if err != nil {
		return nil, err
	}
	// A Basic header may have been written in two ways; the reading that names a
	// client and proves it is the right one.
	refusal := error(nil)
	for _, proof := range proofs {
		client, err := r.Resolve(ctx, proof.id)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return nil, err
		}
		if err == nil {
			err = client.verify(proof)
		} else {
			err = oauth.Errorf(oauth.InvalidClient, "no client has this client_id; register it again").WithCause(err)
		}
		if err == nil {
			return client, nil
		}
		refusal = err
	}
	return nil, refusal
}

// proof is one reading of how a request authenticates its client.
type proof struct {
	id, secret string
	// method is none where there is no secret, whatever carried the id.
	method string
}

func newProof(id, secret, method string) proof {
	if secret == "" {
		method = oauth.AuthMethodNone
	}
	return proof{id: id, secret: secret, method: method}
}

func readProofs(req *http.Request, form url.Values) ([]proof, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	headers := req.Header.Values("Authorization")
	switch {
	case len(headers) > 1:
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request has more than one Authorization header")
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
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request authenticates its client in two ways at once")
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

// verify checks the proof by the one method that the client registered.
func (c *Client) verify(p proof) error {
	if p.method != c.AuthMethod {
		return oauth.Errorf(oauth.InvalidClient, "this client authenticates by %s, not by %s", c.AuthMethod, p.method)
	}
	if c.AuthMethod == oauth.AuthMethodNone {
		return nil
	}
	matched := false
	for _, hash := range c.secrets {
		matched = hash.Matches(p.secret) || matched
	}
	if !matched {
		return oauth.Errorf(oauth.InvalidClient, "the client's secret is wrong")
	}
	return nil
}
