package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	secret  = "a-secret-of-more-than-thirty-two-chars"
	awkward = "50%+more:colon and=signs-of-thirty-two-chars"
)

type registrations map[string]store.Registration

func (r registrations) Registration(_ context.Context, id string) (store.Registration, error) {
	if id == "broken" {
		return store.Registration{}, errors.New("the disk is gone")
	}
	registration, ok := r[id]
	if !ok {
		return store.Registration{}, store.ErrNotFound
	}
	return registration, nil
}

type secrets map[string][]credential.Hash

func (s secrets) ClientSecrets(id string) []credential.Hash { return s[id] }

func resolver(t *testing.T, policy catalog.Registration) *client.Resolver {
	t.Helper()
	c, err := catalog.New(catalog.Content{
		Issuer: "https://auth.example", Registration: policy,
		Clients: []*catalog.Client{
			{ID: "basic", AuthMethod: oauth.AuthMethodClientSecretBasic, Resources: []oauth.ResourceID{"todo"}},
			{ID: "post", AuthMethod: oauth.AuthMethodClientSecretPost, Scopes: oauth.NewScopeSet("a")},
			{ID: "public", AuthMethod: oauth.AuthMethodNone},
			{ID: "awk+ward", AuthMethod: oauth.AuthMethodClientSecretBasic},
			{ID: "early", AuthMethod: oauth.AuthMethodClientSecretBasic},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &client.Resolver{
		Catalog: c,
		Registrations: registrations{
			"mine":  {ClientID: "mine", AuthMethod: oauth.AuthMethodNone, Resource: "todo", RedirectURIs: []string{"https://app.example/cb", "http://localhost/cb"}},
			"root":  {ClientID: "root", AuthMethod: oauth.AuthMethodClientSecretPost, Secret: credential.HashOf(secret)},
			"basic": {ClientID: "basic", AuthMethod: oauth.AuthMethodNone}, // squats on a declared name
		},
		Secrets: secrets{
			"basic":    {credential.HashOf("the one before, being replaced now"), credential.HashOf(secret)},
			"post":     {credential.HashOf(secret)},
			"awk+ward": {credential.HashOf(awkward)},
		},
	}
}

func rawBasic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestAClientIsWhoItProvesToBe(t *testing.T) {
	encoded := rawBasic(url.QueryEscape("awk+ward"), url.QueryEscape(awkward))
	for _, test := range []struct {
		name    string
		headers []string
		form    url.Values
		want    string
		code    oauth.ErrorCode
	}{
		{"Basic", []string{rawBasic("basic", secret)}, nil, "basic", ""},
		{"Basic with the older of two secrets", []string{rawBasic("basic", "the one before, being replaced now")}, nil, "basic", ""},
		{"Basic and the same id in the body", []string{rawBasic("basic", secret)}, url.Values{"client_id": {"basic"}}, "basic", ""},
		{"Basic, form-encoded", []string{encoded}, nil, "awk+ward", ""},
		{"Basic, raw", []string{rawBasic("awk+ward", awkward)}, nil, "awk+ward", ""},
		{"Basic in lower case", []string{"basic" + rawBasic("basic", secret)[5:]}, nil, "basic", ""},
		{"secret in the body", nil, url.Values{"client_id": {"post"}, "client_secret": {secret}}, "post", ""},
		{"empty Basic secret, secret in the body", []string{rawBasic("post", "")}, url.Values{"client_id": {"post"}, "client_secret": {secret}}, "post", ""},
		{"public", nil, url.Values{"client_id": {"public"}}, "public", ""},
		{"public by an empty Basic secret", []string{rawBasic("public", "")}, nil, "public", ""},
		{"registered", nil, url.Values{"client_id": {"mine"}}, "mine", ""},
		{"registered with a secret", nil, url.Values{"client_id": {"root"}, "client_secret": {secret}}, "root", ""},

		{"nothing", nil, nil, "", oauth.InvalidClient},
		{"unknown", nil, url.Values{"client_id": {"gone"}}, "", oauth.InvalidClient},
		{"wrong secret", []string{rawBasic("basic", "wrong")}, nil, "", oauth.InvalidClient},
		{"no secret", nil, url.Values{"client_id": {"basic"}}, "", oauth.InvalidClient},
		{"empty secret", []string{rawBasic("basic", "")}, nil, "", oauth.InvalidClient},
		{"no secret is known yet", []string{rawBasic("early", secret)}, nil, "", oauth.InvalidClient},
		{"in the body, where Basic was agreed", nil, url.Values{"client_id": {"basic"}, "client_secret": {secret}}, "", oauth.InvalidClient},
		{"by Basic, where the body was agreed", []string{rawBasic("post", secret)}, nil, "", oauth.InvalidClient},
		{"a secret of a public client", nil, url.Values{"client_id": {"public"}, "client_secret": {secret}}, "", oauth.InvalidClient},
		{"another id in the body", []string{rawBasic("basic", secret)}, url.Values{"client_id": {"public"}}, "", oauth.InvalidRequest},
		{"two ways at once", []string{rawBasic("basic", secret)}, url.Values{"client_id": {"basic"}, "client_secret": {secret}}, "", oauth.InvalidRequest},
		{"two headers", []string{rawBasic("basic", secret), rawBasic("basic", secret)}, nil, "", oauth.InvalidRequest},
		{"Bearer", []string{"Bearer x"}, nil, "", oauth.InvalidClient},
		{"not base64", []string{"Basic %%%"}, nil, "", oauth.InvalidClient},
		{"no colon", []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("basic"))}, nil, "", oauth.InvalidClient},
		{"no id", []string{rawBasic("", secret)}, nil, "", oauth.InvalidClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
			request.Header["Authorization"] = test.headers
			got, err := resolver(t, catalog.Registration{}).Authenticate(t.Context(), request, test.form)
			var refusal *oauth.Error
			switch {
			case test.code != "" && (!errors.As(err, &refusal) || refusal.Code != test.code):
				t.Fatalf("error: got %v, want %s", err, test.code)
			case test.code == "" && (err != nil || got.ID != test.want):
				t.Fatalf("got %v, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestAFailingStoreIsNoUnknownClient(t *testing.T) {
	request := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
	_, err := resolver(t, catalog.Registration{}).Authenticate(t.Context(), request, url.Values{"client_id": {"broken"}})
	var refusal *oauth.Error
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("error: got %v, want one that is no answer to the client", err)
	}
}

func TestADeclaredClientCannotBeSquattedOn(t *testing.T) {
	got, err := resolver(t, catalog.Registration{}).Resolve(t.Context(), "basic")
	if err != nil || !got.Declared || !got.Confidential() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestReachAndLimits(t *testing.T) {
	r := resolver(t, catalog.Registration{})
	resolve := func(id string) *client.Client {
		got, err := r.Resolve(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, test := range []struct {
		id    string
		reach bool // of "todo"
		other bool // of another resource
		scope string
	}{
		{"basic", true, false, "a b"},
		{"post", false, false, "a"}, // declared for nothing
		{"mine", true, false, "a b"},
		{"root", true, true, "a b"},
	} {
		c := resolve(test.id)
		if c.MayReach("todo") != test.reach || c.MayReach("other") != test.other {
			t.Errorf("%s: reaches todo %v, other %v", test.id, c.MayReach("todo"), c.MayReach("other"))
		}
		if got := c.Limit(oauth.NewScopeSet("a", "b")).String(); got != test.scope {
			t.Errorf("%s: scope: got %q, want %q", test.id, got, test.scope)
		}
	}
}

func TestARedirectIsRegisteredOrTheOnlyOne(t *testing.T) {
	one := &client.Client{RedirectURIs: []string{"http://127.0.0.1/cb"}}
	two := &client.Client{RedirectURIs: []string{"https://a.example/cb", "https://b.example/cb"}}
	for _, test := range []struct {
		name, requested string
		client          *client.Client
		want            string
		err             error
	}{
		{"exact", "https://b.example/cb", two, "https://b.example/cb", nil},
		{"a free loopback port", "http://127.0.0.1:5555/cb", one, "http://127.0.0.1:5555/cb", nil},
		{"none, of one", "", one, "http://127.0.0.1/cb", nil},
		{"none, of two", "", two, "", client.ErrNoRedirectURI},
		{"another path", "https://b.example/cb/", two, "", client.ErrUnregisteredRedirect},
		{"another host", "https://c.example/cb", two, "", client.ErrUnregisteredRedirect},
	} {
		got, err := test.client.RedirectURI(test.requested)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

func TestAHostThatIsNoLongerAllowedIsNoRedirect(t *testing.T) {
	got, err := resolver(t, catalog.Registration{RedirectHosts: []string{"claude.ai"}}).Resolve(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.RedirectURI("https://app.example/cb"); !errors.Is(err, client.ErrUnregisteredRedirect) {
		t.Errorf("the host is allowed still: %v", err)
	}
	if _, err := got.RedirectURI("http://localhost:1234/cb"); err != nil {
		t.Errorf("the loopback redirect is gone: %v", err)
	}
}
