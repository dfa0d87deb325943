package client_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

const (
	issuer  = "https://auth.example"
	secret  = "a-secret-of-more-than-thirty-two-chars"
	awkward = "50%+more:colon and=signs-of-thirty-two-chars"
)

type registrations map[string]store.Registration

func (r registrations) Registration(_ context.Context, id string, _ time.Time) (store.Registration, error) {
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

// uses remembers what was used once, as all replicas do together.
type uses struct {
	mu   sync.Mutex
	used map[credential.Hash]time.Time
	// fails is what a broken store says.
	fails error
}

func (u *uses) UseOnce(_ context.Context, key credential.Hash, expires time.Time) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fails != nil {
		return false, u.fails
	}
	if _, ok := u.used[key]; ok {
		return false, nil
	}
	if u.used == nil {
		u.used = make(map[credential.Hash]time.Time)
	}
	u.used[key] = expires
	return true, nil
}

func (u *uses) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.used)
}

// content is an installation with some declared clients.
func content(policy catalog.Registration) catalog.Content {
	return catalog.Content{
		Issuer: issuer, Registration: policy,
		Clients: []*catalog.Client{
			{ID: "basic", AuthMethod: oauth.AuthMethodClientSecretBasic, Resources: []oauth.ResourceID{"todo"}},
			{ID: "post", AuthMethod: oauth.AuthMethodClientSecretPost, Scopes: oauth.NewScopeSet("a")},
			{ID: "public", AuthMethod: oauth.AuthMethodNone},
			{ID: "awk+ward", AuthMethod: oauth.AuthMethodClientSecretBasic},
			{ID: "early", AuthMethod: oauth.AuthMethodClientSecretBasic},
			{
				ID: "strict", AuthMethod: oauth.AuthMethodNone, RequirePushedRequests: true, RequireDPoP: true,
				Workloads: []catalog.Workload{{TrustedIssuer: "cluster", Subject: "pod"}},
			},
		},
	}
}

// options are those of a directory of some registered clients.
func options() client.DirectoryOptions {
	return client.DirectoryOptions{
		Registrations: registrations{
			"mine":  {ClientID: "mine", AuthMethod: oauth.AuthMethodNone, Resource: "todo", RedirectURIs: []string{"https://app.example/cb", "http://localhost/cb"}},
			"root":  {ClientID: "root", AuthMethod: oauth.AuthMethodClientSecretPost, Secret: credential.HashOf(secret), RequirePushedRequests: true, RequireDPoP: true},
			"basic": {ClientID: "basic", AuthMethod: oauth.AuthMethodNone}, // squats on a declared name
		},
		Once: &uses{},
		Secrets: secrets{
			"basic":    {credential.HashOf("the one before, being replaced now"), credential.HashOf(secret)},
			"post":     {credential.HashOf(secret)},
			"awk+ward": {credential.HashOf(awkward)},
		},
	}
}

func resolverOf(t *testing.T, d *client.Directory, c catalog.Content) *client.Resolver {
	t.Helper()
	made, err := catalog.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Resolver(made)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resolver(t *testing.T, policy catalog.Registration) *client.Resolver {
	t.Helper()
	return resolverOf(t, client.NewDirectory(options()), content(policy))
}

func resolve(t *testing.T, r *client.Resolver, id string) *client.Client {
	t.Helper()
	got, err := r.Resolve(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// audiences are those of the token endpoint.
var audiences = client.Audiences{Issuer: issuer, Endpoint: issuer + "/oauth/token", TokenEndpoint: issuer + "/oauth/token"}

func authenticate(t *testing.T, r *client.Resolver, form url.Values, headers ...string) (*client.Client, error) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
	request.Header["Authorization"] = headers
	return r.Authenticate(t.Context(), request, form, audiences)
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
			got, err := authenticate(t, resolver(t, catalog.Registration{Dynamic: true}), test.form, test.headers...)
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
	_, err := authenticate(t, resolver(t, catalog.Registration{Dynamic: true}), url.Values{"client_id": {"broken"}})
	var refusal *oauth.Error
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("error: got %v, want one that is no answer to the client", err)
	}
}

func TestADeclaredClientCannotBeSquattedOn(t *testing.T) {
	got := resolve(t, resolver(t, catalog.Registration{Dynamic: true}), "basic")
	if got.Origin != client.Declared || !got.Declared() || !got.Confidential() {
		t.Errorf("got %+v", got)
	}
}

func TestReachAndLimits(t *testing.T) {
	r := resolver(t, catalog.Registration{Dynamic: true})
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
		c := resolve(t, r, test.id)
		todo, other := &catalog.Resource{ID: "todo"}, &catalog.Resource{ID: "other"}
		if c.MayReach(todo) != test.reach || c.MayReach(other) != test.other {
			t.Errorf("%s: reaches todo %v, other %v", test.id, c.MayReach(todo), c.MayReach(other))
		}
		if got := c.Limit(oauth.NewScopeSet("a", "b")).String(); got != test.scope {
			t.Errorf("%s: scope: got %q, want %q", test.id, got, test.scope)
		}
	}
}

func TestAResourceSaysWhichClientsItIsFor(t *testing.T) {
	declared := &client.Client{ID: "d", Origin: client.Declared}
	registered := &client.Client{ID: "r", Origin: client.Registered}
	document := &client.Client{ID: "https://app.example/c", Origin: client.Document, Host: "app.example"}
	for _, test := range []struct {
		name   string
		policy *catalog.Registration
		want   []bool // declared, registered, document
	}{
		{"nothing", nil, []bool{true, true, true}},
		{"none of itself", &catalog.Registration{}, []bool{true, false, false}},
		{"dynamic", &catalog.Registration{Dynamic: true}, []bool{true, true, false}},
		{"documents", &catalog.Registration{MetadataDocuments: true}, []bool{true, false, true}},
		{"documents of its host", &catalog.Registration{MetadataDocuments: true, DocumentHosts: []string{"APP.example"}}, []bool{true, false, true}},
		{"documents of another host", &catalog.Registration{MetadataDocuments: true, DocumentHosts: []string{"example"}}, []bool{true, false, false}},
		{"all but these", &catalog.Registration{Dynamic: true, MetadataDocuments: true, Blocked: []string{"d", "r", "https://app.example/c"}}, []bool{false, false, false}},
	} {
		resource := &catalog.Resource{ID: "todo", Registration: test.policy}
		for i, c := range []*client.Client{declared, registered, document} {
			if got := c.MayReach(resource); got != test.want[i] {
				t.Errorf("%s: %s: got %v", test.name, c.ID, got)
			}
		}
	}
}

func TestAResourceSaysWhereStrangersMaySendUsers(t *testing.T) {
	resource := &catalog.Resource{Registration: &catalog.Registration{RedirectHosts: []string{"claude.ai"}}}
	for _, test := range []struct {
		uri      string
		stranger bool
	}{
		{"https://claude.ai/cb", true}, {"https://CLAUDE.ai/cb", true}, {"https://evil.example/cb", false}, {"https://claude.ai.evil.example/cb", false},
		{"http://localhost:1/cb", true}, {"cursor://x/cb", true}, {"javascript:alert(1)", false}, {"", false},
	} {
		for _, origin := range []client.Origin{client.Registered, client.Document} {
			if got := (&client.Client{Origin: origin}).MayRedirect(resource, test.uri); got != test.stranger {
				t.Errorf("%s: got %v", test.uri, got)
			}
		}
		if !(&client.Client{Origin: client.Declared}).MayRedirect(resource, test.uri) {
			t.Errorf("%s: what was declared is limited", test.uri)
		}
		if !(&client.Client{Origin: client.Document}).MayRedirect(&catalog.Resource{}, test.uri) {
			t.Errorf("%s: limited without a limit", test.uri)
		}
	}
}

func TestWhatAClientDemandsOfItselfIsKept(t *testing.T) {
	r := resolver(t, catalog.Registration{Dynamic: true})
	for _, id := range []string{"strict", "root"} {
		if c := resolve(t, r, id); !c.RequirePushedRequests || !c.RequireDPoP {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if c := resolve(t, r, "strict"); len(c.Workloads) != 1 {
		t.Errorf("workloads: %v", c.Workloads)
	}
}

func TestABlockedClientIsNobody(t *testing.T) {
	blocked := []string{"basic", "mine", "https://app.example/client.json"}
	r := resolver(t, catalog.Registration{Dynamic: true, MetadataDocuments: true, Blocked: blocked})
	for _, id := range blocked {
		if _, err := r.Resolve(t.Context(), id); !errors.Is(err, client.ErrBlocked) || !errors.Is(err, client.ErrUnknown) {
			t.Errorf("%s: %v", id, err)
		}
	}
	_, err := authenticate(t, r, nil, rawBasic("basic", secret))
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Code != oauth.InvalidClient {
		t.Errorf("with its secret: %v", err)
	}
	if _, err := r.Resolve(t.Context(), "root"); err != nil {
		t.Errorf("another one: %v", err)
	}
}

func TestANameIsCleanBeforeItIsShown(t *testing.T) {
	for name, want := range map[string]string{" Claude ": "Claude", "": "", "Täsk 看": "Täsk 看", strings.Repeat("ä", 200): strings.Repeat("ä", 200)} {
		if got, err := client.CleanName(name); err != nil || got != want {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"a\nb", "a\u202eb", "a\u200bb", "\x00", "\xff", strings.Repeat("x", 201)} {
		if got, err := client.CleanName(name); err == nil {
			t.Errorf("%q became %q", name, got)
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
	got := resolve(t, resolver(t, catalog.Registration{Dynamic: true, RedirectHosts: []string{"claude.ai"}}), "mine")
	if _, err := got.RedirectURI("https://app.example/cb"); !errors.Is(err, client.ErrUnregisteredRedirect) {
		t.Errorf("the host is allowed still: %v", err)
	}
	if _, err := got.RedirectURI("http://localhost:1234/cb"); err != nil {
		t.Errorf("the loopback redirect is gone: %v", err)
	}
}

func TestWhereNobodyMayRegisterNobodyIsRegistered(t *testing.T) {
	r := resolver(t, catalog.Registration{})
	if _, err := r.Resolve(t.Context(), "mine"); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}
