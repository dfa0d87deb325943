package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/outbound"
	"github.com/mcpauth/mcpauth/oauth/outbound/outboundtest"
)

func TestADocumentIsAClient(t *testing.T) {
	w := newWorld(t)
	w.publish(t, map[string]any{
		"client_uri": w.site.URL + "/about", "require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true,
	})
	c := resolve(t, w.resolver(t), w.id())
	if c.ID != w.id() || c.Name != "Example App" || c.Origin != client.Document || c.Declared() || c.Confidential() || c.Host != "127.0.0.1" ||
		c.URI != w.site.URL+"/about" || !c.RequirePushedRequests || !c.RequireDPoP || !c.Scopes.Empty() || len(c.RedirectURIs) != 2 {
		t.Errorf("got %+v", c)
	}
	if !slices.Equal(c.GrantTypes, []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}) {
		t.Errorf("grants: %v", c.GrantTypes)
	}
	if got, err := c.RedirectURI("http://127.0.0.1:5555/cb"); err != nil || got == "" {
		t.Errorf("a loopback redirect: %q, %v", got, err)
	}
}

func TestWhatADocumentLeavesOutHasAMeaning(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		name    string
		changes map[string]any
		holds   func(*client.Client) bool
	}{
		{"no grant types", map[string]any{"grant_types": nil}, func(c *client.Client) bool { return slices.Equal(c.GrantTypes, []string{oauth.GrantAuthorizationCode}) }},
		{"grants that nobody lets a stranger have", map[string]any{"grant_types": []string{"authorization_code", "client_credentials", "implicit", oauth.GrantJWTBearer}},
			func(c *client.Client) bool { return slices.Equal(c.GrantTypes, []string{oauth.GrantAuthorizationCode}) }},
		{"no name", map[string]any{"client_name": nil}, func(c *client.Client) bool { return c.Name == "127.0.0.1" }},
		{"an empty name", map[string]any{"client_name": "  "}, func(c *client.Client) bool { return c.Name == "127.0.0.1" }},
		{"no method", map[string]any{"token_endpoint_auth_method": nil}, func(c *client.Client) bool { return c.AuthMethod == oauth.AuthMethodNone }},
		{"no response types", map[string]any{"response_types": nil}, func(*client.Client) bool { return true }},
		{"a page of another host", map[string]any{"client_uri": "https://claude.ai/"}, func(c *client.Client) bool { return c.URI == "" }},
		{"a page by a script", map[string]any{"client_uri": "javascript:alert(1)"}, func(c *client.Client) bool { return c.URI == "" }},
		{"a page by plain http", map[string]any{"client_uri": "http://127.0.0.1/"}, func(c *client.Client) bool { return c.URI == "" }},
		{"keys of a public client", map[string]any{"jwks_uri": "https://10.0.0.1/"}, func(c *client.Client) bool { return c.AuthMethod == oauth.AuthMethodNone }},
		{"ID-JAG of one that signs", map[string]any{
			"grant_types": []string{oauth.GrantJWTBearer, "refresh_token"}, "token_endpoint_auth_method": "private_key_jwt", "jwks": publicKeys(),
		}, func(c *client.Client) bool { return c.MayUse(oauth.GrantJWTBearer) && c.Confidential() }},
	} {
		w.publish(t, test.changes)
		w.clock.advance(time.Hour)
		if c := resolve(t, w.resolver(t), w.id()); !test.holds(c) {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}

func refusedDocument(t *testing.T, r *client.Resolver, id string) *client.DocumentError {
	t.Helper()
	c, err := r.Resolve(t.Context(), id)
	var refusal *client.DocumentError
	if c != nil || !errors.As(err, &refusal) {
		t.Errorf("%s: got %v, %v", id, c, err)
		return &client.DocumentError{}
	}
	return refusal
}

func TestAttack23_DocumentsThatMustBeRefused(t *testing.T) {
	w := newWorld(t)
	valid := func(changes map[string]any) outboundtest.Answer {
		return outboundtest.Answer{Body: documentOf(t, w.id(), changes)}
	}
	twenty := make([]string, 21)
	for i := range twenty {
		twenty[i] = fmt.Sprintf("https://app.example/%d", i)
	}
	for name, answer := range map[string]outboundtest.Answer{
		"another client_id":                  valid(map[string]any{"client_id": "https://claude.ai/oauth/mcp-oauth-client-metadata"}),
		"its client_id in another case":      valid(map[string]any{"client_id": strings.ToUpper(w.id())}),
		"its client_id with a slash":         valid(map[string]any{"client_id": w.id() + "/"}),
		"no client_id":                       valid(map[string]any{"client_id": nil}),
		"a client_id that is no string":      valid(map[string]any{"client_id": []string{w.id()}}),
		"client_id in capitals":              {Body: `{"CLIENT_ID":"` + w.id() + `","redirect_uris":["https://app.example/cb"]}`},
		"two client_ids":                     {Body: `{"client_id":"https://claude.ai/x","client_id":"` + w.id() + `","redirect_uris":["https://app.example/cb"]}`},
		"two client_ids, one escaped":        {Body: `{"client_id":"` + w.id() + `","client\u005fid":"https://claude.ai/x","redirect_uris":["https://app.example/cb"]}`},
		"a secret":                           valid(map[string]any{"client_secret": "s"}),
		"an empty secret":                    valid(map[string]any{"client_secret": ""}),
		"a secret's end":                     valid(map[string]any{"client_secret_expires_at": 0}),
		"client_secret_basic":                valid(map[string]any{"token_endpoint_auth_method": "client_secret_basic"}),
		"client_secret_post":                 valid(map[string]any{"token_endpoint_auth_method": "client_secret_post"}),
		"client_secret_jwt":                  valid(map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}),
		"a method that is no string":         valid(map[string]any{"token_endpoint_auth_method": 1}),
		"private_key_jwt without keys":       valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt"}),
		"private_key_jwt with both":          valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": publicKeys(), "jwks_uri": w.site.URL}),
		"private_key_jwt with an empty set":  valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{}}}),
		"private_key_jwt with a private key": valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "AAAA"}}}}),
		"keys at a private address":          valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://10.0.0.1/keys"}),
		"keys in a file":                     valid(map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "file:///etc/passwd"}),
		"no redirect URIs":                   valid(map[string]any{"redirect_uris": nil}),
		"an empty list of redirect URIs":     valid(map[string]any{"redirect_uris": []string{}}),
		"too many redirect URIs":             valid(map[string]any{"redirect_uris": twenty}),
		"redirect URIs that are one string":  valid(map[string]any{"redirect_uris": "https://app.example/cb"}),
		"a redirect to a script":             valid(map[string]any{"redirect_uris": []string{"https://app.example/cb", "JavaScript:alert(1)"}}),
		"a redirect by plain http":           valid(map[string]any{"redirect_uris": []string{"http://app.example/cb"}}),
		"a redirect that is no string":       valid(map[string]any{"redirect_uris": []any{1}}),
		"no code":                            valid(map[string]any{"response_types": []string{"token"}}),
		"no grant for a user":                valid(map[string]any{"grant_types": []string{"client_credentials"}}),
		"a name that turns around":           valid(map[string]any{"client_name": "Claude\u202e"}),
		"a name that is too long":            valid(map[string]any{"client_name": strings.Repeat("x", 201)}),
		"a flag that is a string":            valid(map[string]any{"dpop_bound_access_tokens": "true"}),
		"an array":                           {Body: "[]"},
		"HTML":                               {Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}},
		"JSON that says it is HTML":          {Body: documentOf(t, w.id(), nil), Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}},
		"no Content-Type":                    {Body: documentOf(t, w.id(), nil), Header: http.Header{"Content-Type": {""}}},
		"something behind it":                {Body: documentOf(t, w.id(), nil) + "{}"},
		"more than 5 KiB":                    valid(map[string]any{"x": strings.Repeat("x", 5<<10)}),
		"1 MiB":                              valid(map[string]any{"x": strings.Repeat("x", 1<<20)}),
		"201":                                {Status: http.StatusCreated, Body: documentOf(t, w.id(), nil)},
		"a redirect":                         {Status: http.StatusFound, Header: http.Header{"Location": {"/other.json"}}},
		"404":                                {Status: http.StatusNotFound},
	} {
		w.site.Answer(documentPath, answer)
		w.site.Say("/other.json", documentOf(t, w.id(), nil))
		refusal := refusedDocument(t, w.resolver(t), w.id())
		if refusal.Temporary || !strings.Contains(refusal.Error(), "; ") || strings.Contains(refusal.Error(), "claude") || len(refusal.Error()) > 250 {
			t.Errorf("%s: the refusal says: %s", name, refusal)
		}
		w.clock.advance(10 * time.Second) // earns fetches
	}
	if w.site.Visits("/other.json") != 0 {
		t.Error("a redirect was followed")
	}
	w.publish(t, nil)
	resolve(t, w.resolver(t), w.id()) // none of it was kept
}

func TestAJSONTypeOfItsOwnIsAccepted(t *testing.T) {
	w := newWorld(t)
	for _, media := range []string{"application/json; charset=utf-8", "application/cimd+json", "Application/JSON"} {
		w.clock.advance(time.Hour)
		w.site.Answer(documentPath, outboundtest.Answer{Body: documentOf(t, w.id(), nil), Header: http.Header{"Content-Type": {media}}})
		resolve(t, w.resolver(t), w.id())
	}
}

func TestAttack23_IDsThatAreNoDocument(t *testing.T) {
	w := newWorld(t)
	r := w.resolver(t)
	for _, id := range []string{
		"https://", "https://app.example", "https://app.example/", "https://app.example?x=/y", "https:///client.json",
		"https://app.example/./client.json", "https://app.example/x/../client.json", "https://app.example/x/..", "https://app.example/.",
		"https://app.example/%2e%2e/client.json", "https://app.example/x/..;y/client.json", "https://app.example/%2E/client.json",
		"https://app.example/client.json#", "https://app.example/client.json#x",
		"https://user@app.example/client.json", "https://user:secret@app.example/client.json", "https://@app.example/client.json",
		"https://claude.ai@app.example/client.json", "https://a@b@app.example/client.json",
		"https://APP.example/client.json", "https://app.example./client.json", "https://app.example:/client.json", "https://app%2eexample/client.json",
		"https://app.example\\client.json", "https://app.example/client json", "https://app.example/client\n.json", "https://app.exämple/client.json",
		"https://app.example/<script>", `https://app.example/"x`, "https://app.example/%zz", "https://[::1/client.json",
	} {
		if err := client.ValidDocumentID(id); err == nil {
			t.Errorf("ValidDocumentID(%q) is nil", id)
		}
		_ = refusedDocument(t, r, id)
	}
	for _, id := range []string{
		"http://app.example/client.json", "HTTPS://app.example/client.json", "//app.example/client.json", "ftp://app.example/x", "app.example/client.json",
		"https:app.example/client.json", "https://app.example/" + strings.Repeat("x", 512),
	} {
		if client.ValidDocumentID(id) == nil {
			t.Errorf("ValidDocumentID(%q) is nil", id)
		}
		if _, err := r.Resolve(t.Context(), id); !errors.Is(err, client.ErrUnknown) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{
		"https://claude.ai/oauth/mcp-oauth-client-metadata", "https://vscode.dev/oauth/client-metadata.json", "https://app.example/x?y=z",
		"https://app.example:8443/x", "https://app.example/x/", "https://app.example/..x/.y/z..", "https://xn--exmple-cua.com/x",
	} {
		if err := client.ValidDocumentID(id); err != nil || !client.IsDocumentID(id) {
			t.Errorf("ValidDocumentID(%q) = %v", id, err)
		}
	}
}

func TestADocumentIsKeptForAsLongAsItSays(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		header http.Header
		want   time.Duration
	}{
		{nil, 10 * time.Minute}, {maxAge("3600"), time.Hour}, {maxAge("1"), time.Minute}, {maxAge("31536000"), 24 * time.Hour},
		{http.Header{"Cache-Control": {"no-store"}}, time.Minute},
	} {
		w.clock.advance(100 * time.Hour)
		w.site.Answer(documentPath, outboundtest.Answer{Body: documentOf(t, w.id(), nil), Header: test.header})
		before := w.site.Visits(documentPath)
		resolve(t, w.resolver(t), w.id())
		w.clock.advance(test.want - time.Second)
		resolve(t, w.resolver(t), w.id()) // another catalog keeps what was fetched
		if got := w.site.Visits(documentPath) - before; got != 1 {
			t.Errorf("%v: %d fetches within %s", test.header, got, test.want)
		}
		w.clock.advance(time.Second)
		resolve(t, w.resolver(t), w.id())
		if got := w.site.Visits(documentPath) - before; got != 2 {
			t.Errorf("%v: %d fetches after %s", test.header, got, test.want)
		}
	}
}

func TestAGoodDocumentServesOnWhileItsHostIsAway(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	r := w.resolver(t)
	resolve(t, r, w.id())
	w.site.Answer(documentPath, outboundtest.Answer{Status: http.StatusBadGateway})
	w.clock.advance(24 * time.Hour)
	resolve(t, r, w.id())
	w.clock.advance(10 * time.Minute)
	if refusal := refusedDocument(t, r, w.id()); !refusal.Temporary {
		t.Errorf("got %v", refusal)
	}
	w.publish(t, nil)
	resolve(t, r, w.id())
	w.clock.advance(time.Hour)
	w.publish(t, map[string]any{"client_secret": "s"}) // an answer that counts, not an outage
	_ = refusedDocument(t, r, w.id())
}

func TestAnotherPolicyOfFetchingForgetsWhatWasFetched(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	resolve(t, w.resolver(t), w.id())
	closed := w.resolver(t, func(c *catalog.Content) { c.Outbound.PrivateHosts = nil })
	if refusal := refusedDocument(t, closed, w.id()); !errors.Is(refusal, outbound.ErrURL) {
		t.Errorf("got %v", refusal)
	}
	if w.site.Visits("") != 1 {
		t.Errorf("%d visits", w.site.Visits(""))
	}
	made, err := catalog.New(catalog.Content{Issuer: issuer, Outbound: catalog.Outbound{CABundle: "nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Resolver(made); err == nil {
		t.Error("a CA bundle of nothing is accepted")
	}
}

func TestPolicyDecidesWhichDocumentsServe(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	set := func(change func(*catalog.Registration)) *client.Resolver {
		return w.resolver(t, func(c *catalog.Content) { change(&c.Registration) })
	}
	if _, err := set(func(r *catalog.Registration) { r.MetadataDocuments = false }).Resolve(t.Context(), w.id()); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("none: %v", err)
	}
	if _, err := set(func(r *catalog.Registration) { r.Blocked = []string{w.id()} }).Resolve(t.Context(), w.id()); !errors.Is(err, client.ErrBlocked) {
		t.Errorf("blocked: %v", err)
	}
	_ = refusedDocument(t, set(func(r *catalog.Registration) { r.DocumentHosts = []string{"claude.ai"} }), w.id())
	_ = refusedDocument(t, set(func(r *catalog.Registration) { r.DocumentHosts = []string{"claude.ai"} }), "https://claude.ai.evil.example/x")
	if w.site.Visits("") != 0 {
		t.Error("it was fetched all the same")
	}
	resolve(t, set(func(r *catalog.Registration) { r.DocumentHosts = []string{"127.0.0.1"} }), w.id())
	c := resolve(t, set(func(r *catalog.Registration) { r.RedirectHosts = []string{"claude.ai"} }), w.id())
	if !slices.Equal(c.RedirectURIs, []string{"http://127.0.0.1/cb"}) {
		t.Errorf("redirects: %v", c.RedirectURIs)
	}
	w.publish(t, map[string]any{"redirect_uris": []string{"https://app.example/cb"}})
	w.clock.advance(time.Hour)
	_ = refusedDocument(t, set(func(r *catalog.Registration) { r.RedirectHosts = []string{"claude.ai"} }), w.id())
}

func TestAPinnedDocumentIsNeverFetched(t *testing.T) {
	w := newWorld(t)
	const id = "https://app.example/pinned.json"
	pin := func(changes map[string]any, change func(*catalog.Registration)) *client.Resolver {
		return w.resolver(t, func(c *catalog.Content) {
			c.Registration.Documents = map[string]string{id: documentOf(t, id, changes), w.id(): documentOf(t, w.id(), nil)}
			if change != nil {
				change(&c.Registration)
			}
		})
	}
	w.publish(t, map[string]any{"client_name": "Published"})
	for _, pinned := range []string{id, w.id()} {
		if c := resolve(t, pin(nil, nil), pinned); c.Name != "Example App" || c.Origin != client.Document {
			t.Errorf("got %+v", c)
		}
	}
	if w.site.Visits("") != 0 {
		t.Error("it was fetched")
	}
	_ = refusedDocument(t, pin(map[string]any{"client_secret": "s"}, nil), id)
	_ = refusedDocument(t, pin(map[string]any{"client_id": w.id()}, nil), id)
	if _, err := pin(nil, func(r *catalog.Registration) { r.MetadataDocuments = false }).Resolve(t.Context(), id); !errors.Is(err, client.ErrUnknown) {
		t.Errorf("where documents are off: %v", err)
	}
}

func TestADeclaredClientMayHaveAURLForItsID(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	r := w.resolver(t, func(c *catalog.Content) {
		c.Clients = append(c.Clients, &catalog.Client{ID: w.id(), Name: "Ours", AuthMethod: oauth.AuthMethodNone})
	})
	if c := resolve(t, r, w.id()); !c.Declared() || c.Name != "Ours" || w.site.Visits("") != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestAttack22_DocumentsAtForbiddenAddresses(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	r := w.resolver(t, func(c *catalog.Content) { c.Outbound.PrivateHosts = nil })
	port := strings.TrimPrefix(w.site.URL, "https://127.0.0.1")
	for _, host := range []string{
		"127.0.0.1" + port, "127.0.0.1", "localhost", "localhost" + port, "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
		"[fe80::1]", "[fd00:ec2::254]", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "0", "127.1",
		"2130706433", "0x7f000001", "0177.0.0.1", "metadata.google.internal", "kubernetes.default.svc",
	} {
		refusal := refusedDocument(t, r, "https://"+host+documentPath)
		if strings.Contains(refusal.Error(), "127.") || strings.Contains(refusal.Error(), "dial") {
			t.Errorf("%s: the refusal tells of the network: %s", host, refusal)
		}
	}
	for _, address := range []string{"127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "fe80::1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"} {
		w.names.Say("rebind.test.", address)
		if refusal := refusedDocument(t, r, "https://rebind.test"+documentPath); !errors.Is(refusal, outbound.ErrForbiddenAddress) || refusal.Temporary {
			t.Errorf("%s: %v", address, errors.Unwrap(refusal))
		}
	}
	if w.site.Visits("") != 0 {
		t.Error("the site was reached")
	}
}

func TestAttack22_AFloodOfDocumentsIsBounded(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	r := w.resolver(t)
	resolve(t, r, w.id())
	busy := 0
	for n := range 500 {
		if refusal := refusedDocument(t, r, fmt.Sprintf("%s/random-%d", w.site.URL, n)); refusal.Temporary && errors.Is(refusal, outbound.ErrBusy) {
			busy++
		}
	}
	if got := w.site.Visits(""); got != 60 || busy != 500-59 {
		t.Errorf("%d fetches, %d refusals", got, busy)
	}
	resolve(t, r, w.id())
	w.clock.advance(time.Hour) // it is stale now, and the bound has recovered
	resolve(t, r, w.id())
}

func TestManyWhoAskForOneDocumentShareItsFetch(t *testing.T) {
	w := newWorld(t)
	w.publish(t, nil)
	r := w.resolver(t)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, err := r.Resolve(t.Context(), w.id()); err != nil {
				t.Errorf("Resolve: %v", err)
			}
		})
	}
	group.Wait()
	if got := w.site.Visits(""); got != 1 {
		t.Errorf("%d fetches", got)
	}
}
