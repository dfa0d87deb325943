package client

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/oauth"
)

const fuzzedID = "https://app.example/client.json"

// FuzzDocument compares our reading of a metadata document with that of
// encoding/json, which ignores case and lets the last of two members win, and
// looks for one that breaks a rule and is a client all the same.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"client_id":"` + fuzzedID + `","redirect_uris":["https://app.example/cb"]}`))
	anyHTTPS := func(uri string) error {
		if !strings.HasPrefix(uri, "https://") {
			return errors.New("it is not https")
		}
		return nil
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDocument(fuzzedID, data, anyHTTPS)
		var wrong fault
		if err != nil {
			if !errors.As(err, &wrong) || d != nil {
				t.Fatalf("the refusal is none: %v", err)
			}
			return
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(data, &object); err != nil {
			t.Fatalf("we accepted what encoding/json refuses: %v", err)
		}
		var id string
		if json.Unmarshal(object["client_id"], &id) != nil || id != fuzzedID || object["client_secret"] != nil {
			t.Fatal("another's document, or one with a secret, was accepted")
		}
		for _, uri := range d.redirectURIs {
			if err := oauth.ValidRedirectURI(uri); err != nil {
				t.Fatalf("a redirect to %q: %v", uri, err)
			}
		}
		signs := d.authMethod == oauth.AuthMethodPrivateKeyJWT
		switch {
		case len(d.redirectURIs) == 0, len(d.grantTypes) == 0,
			!signs && d.authMethod != oauth.AuthMethodNone,
			signs != (d.keys+d.keysURI != ""),
			d.uri != "" && !strings.HasPrefix(d.uri, "https://app.example"):
			t.Fatalf("a rule is broken: %+v", d)
		}
		if _, err := CleanName(d.name); err != nil {
			t.Fatalf("the name %q: %v", d.name, err)
		}
	})
}

// FuzzValidDocumentID looks for an id that two readers take for different URLs.
func FuzzValidDocumentID(f *testing.F) {
	f.Add(fuzzedID)
	f.Fuzz(func(t *testing.T, id string) {
		if ValidDocumentID(id) != nil {
			return
		}
		authority, _, _ := strings.Cut(strings.TrimPrefix(id, "https://"), "/")
		host := documentHost(id)
		name := strings.Trim(authority, "[]")
		if port := strings.LastIndexByte(authority, ':'); port >= 0 && name != host {
			name = strings.Trim(authority[:port], "[]")
		}
		if host == "" || name != host || strings.ContainsAny(authority, `@#?\% `) {
			t.Fatalf("%q has the host %q", id, host)
		}
	})
}
