package client_test

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/assertion"
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/outbound/outboundtest"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func asserting(raw string, more ...string) url.Values {
	form := url.Values{"client_assertion": {raw}, "client_assertion_type": {assertionType}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// signing is a world with a client of every origin that signs with rsaKey, written
// and published.
func signing(t *testing.T) (*world, []string) {
	t.Helper()
	w := newWorld(t, func(o *client.DirectoryOptions) {
		o.Registrations.(registrations)["signs"] = store.Registration{
			ClientID: "signs", AuthMethod: oauth.AuthMethodPrivateKeyJWT, JWKS: encode(t, publicKeys()),
		}
	})
	w.site.Say("/keys", encode(t, publicKeys()))
	w.publish(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": w.site.URL + "/keys"})
	w.site.Say("/written.json", documentOf(t, w.site.URL+"/written.json", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": publicKeys()}))
	return w, []string{"declared", "declared-uri", "signs", w.id(), w.site.URL + "/written.json"}
}

// withSigners adds the declared clients that sign.
func (w *world) withSigners(t *testing.T) func(*catalog.Content) {
	return func(c *catalog.Content) {
		c.Clients = append(c.Clients,
			&catalog.Client{ID: "declared", AuthMethod: oauth.AuthMethodPrivateKeyJWT, JWKS: encode(t, publicKeys())},
			&catalog.Client{ID: "declared-uri", AuthMethod: oauth.AuthMethodPrivateKeyJWT, JWKSURI: w.site.URL + "/keys"},
			&catalog.Client{ID: "keyless", AuthMethod: oauth.AuthMethodPrivateKeyJWT},
		)
	}
}

func TestAClientOfAnyOriginProvesItselfByItsKey(t *testing.T) {
	w, ids := signing(t)
	r := w.resolver(t, w.withSigners(t))
	for _, id := range ids {
		for name, more := range map[string][]string{"alone": nil, "beside its client_id": {"client_id", id}} {
			c, err := authenticate(t, r, asserting(w.assertionOf(t, id, map[string]any{"jti": name}), more...))
			if err != nil || c.ID != id || !c.Confidential() {
				t.Errorf("%s, %s: %v", id, name, err)
			}
		}
	}
	if got := w.uses.count(); got != 2*len(ids) {
		t.Errorf("%d assertions are remembered", got)
	}
}

// refused authenticates in vain, with the code, and finds nothing used up.
func refused(t *testing.T, w *world, r *client.Resolver, form url.Values, code oauth.ErrorCode, headers ...string) {
	t.Helper()
	before := w.uses.count()
	c, err := authenticate(t, r, form, headers...)
	var refusal *oauth.Error
	if c != nil || !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("got %v, %v, want %s", c, err, code)
	} else if strings.Contains(refusal.Description, form.Get("client_assertion")) && form.Get("client_assertion") != "" {
		t.Errorf("the refusal quotes the assertion: %s", refusal.Description)
	}
	if w.uses.count() != before {
		t.Error("the assertion was used up")
	}
}

func TestAttack18_ClientAssertionsThatMustBeRefused(t *testing.T) {
	w, _ := signing(t)
	r := w.resolver(t, w.withSigners(t))
	of := func(changes map[string]any) string { return w.assertionOf(t, "declared", changes) }
	claims := map[string]any{
		"iss": "declared", "sub": "declared", "aud": issuer, "jti": "j", "exp": w.clock.now().Add(time.Minute).Unix(),
	}
	nobody := func([]byte) []byte { return nil }
	for _, test := range []struct {
		name string
		form url.Values
		code oauth.ErrorCode
	}{
		{"unsigned", asserting(sign(t, map[string]any{"alg": "none"}, claims, nobody)), oauth.InvalidClient},
		{"typed as an access token", asserting(sign(t, map[string]any{"alg": "RS256", "typ": "at+jwt"}, claims, nobody)), oauth.InvalidClient},
		{"typed as an ID-JAG", asserting(sign(t, map[string]any{"alg": "RS256", "typ": assertion.IdentityType}, claims, nobody)), oauth.InvalidClient},
		{"signed by another", asserting(sign(t, map[string]any{"alg": "EdDSA"}, claims, func(in []byte) []byte { return ed25519.Sign(edKey(), in) })), oauth.InvalidClient},
		{"with another signature", asserting(of(nil)[:len(of(nil))-40] + strings.Repeat("A", 40)), oauth.InvalidClient},
		{"nonsense", asserting("x.y.z"), oauth.InvalidClient},
		{"of nobody", asserting(w.assertionOf(t, "nobody", nil)), oauth.InvalidClient},
		{"of a client without keys", asserting(w.assertionOf(t, "keyless", nil)), oauth.InvalidClient},
		{"of a client with a secret", asserting(w.assertionOf(t, "basic", nil)), oauth.InvalidClient},
		{"of a public client", asserting(w.assertionOf(t, "public", nil)), oauth.InvalidClient},
		{"about another", asserting(of(map[string]any{"iss": "signs"})), oauth.InvalidClient},
		{"for another server", asserting(of(map[string]any{"aud": "https://other.example"})), oauth.InvalidClient},
		{"expired", asserting(of(map[string]any{"exp": w.clock.now().Add(-time.Minute).Unix()})), oauth.InvalidClient},
		{"for a day", asserting(of(map[string]any{"exp": w.clock.now().Add(24 * time.Hour).Unix()})), oauth.InvalidClient},
		{"without jti", asserting(of(map[string]any{"jti": nil})), oauth.InvalidClient},
		{"beside another client_id", asserting(of(nil), "client_id", "signs"), oauth.InvalidRequest},
		{"beside a secret", asserting(of(nil), "client_secret", secret), oauth.InvalidRequest},
		{"of another type", url.Values{"client_assertion": {of(nil)}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}}, oauth.InvalidRequest},
		{"without its type", url.Values{"client_assertion": {of(nil)}}, oauth.InvalidRequest},
		{"a type alone", url.Values{"client_id": {"declared"}, "client_assertion_type": {assertionType}}, oauth.InvalidRequest},
		{"none, where one is agreed", url.Values{"client_id": {"declared"}}, oauth.InvalidClient},
		{"a secret, where one is agreed", url.Values{"client_id": {"declared"}, "client_secret": {secret}}, oauth.InvalidClient},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, w, r, test.form, test.code) })
	}
	t.Run("beside Basic", func(t *testing.T) {
		refused(t, w, r, asserting(of(nil)), oauth.InvalidRequest, rawBasic("declared", ""))
	})
	if _, err := authenticate(t, r, asserting(of(nil))); err != nil {
		t.Errorf("the good one, after all that: %v", err)
	}
}

func TestAttack18_AnAssertionIsGoodOnceWhicheverReplica(t *testing.T) {
	w, ids := signing(t)
	first := w.resolver(t, w.withSigners(t))
	second := newWorld(t, func(o *client.DirectoryOptions) { o.Once = &w.uses }) // another process, the same store
	second.site = w.site
	replica := second.resolver(t, w.withSigners(t))
	for _, id := range ids {
		if id == "signs" {
			continue // is registered at the first alone
		}
		raw := w.assertionOf(t, id, nil)
		if _, err := authenticate(t, first, asserting(raw)); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		for name, r := range map[string]*client.Resolver{"the same": first, "another": replica} {
			c, err := authenticate(t, r, asserting(raw))
			var refusal *oauth.Error
			if c != nil || !errors.As(err, &refusal) || refusal.Code != oauth.InvalidClient {
				t.Errorf("%s, again at %s replica: %v, %v", id, name, c, err)
			}
		}
	}
	for _, until := range w.uses.used {
		if !until.After(w.clock.now().Add(time.Minute + 30*time.Second)) {
			t.Errorf("it is forgotten while it is accepted: %v", until)
		}
	}
}

func TestTheAudienceIsTheIssuerOrTheEndpointUnlessStrict(t *testing.T) {
	w, _ := signing(t)
	at := client.Audiences{Issuer: issuer, Endpoint: issuer + "/oauth/revoke", TokenEndpoint: issuer + "/oauth/token"}
	for _, test := range []struct {
		aud             any
		lenient, strict bool
	}{
		{issuer, true, true}, {[]string{issuer}, true, true}, {at.TokenEndpoint, true, false}, {at.Endpoint, true, false},
		{[]string{issuer, "https://other.example"}, true, false}, {issuer + "/", false, false}, {issuer + "/oauth/par", false, false},
	} {
		for _, strict := range []bool{false, true} {
			r := w.resolver(t, w.withSigners(t), func(c *catalog.Content) { c.StrictAssertions = strict })
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			w.clock.advance(time.Second)
			raw := w.assertionOf(t, "declared", map[string]any{"aud": test.aud, "jti": w.clock.now().String()})
			_, err = r.Authenticate(t.Context(), request, asserting(raw), at)
			if want := test.lenient && !strict || test.strict && strict; (err == nil) != want {
				t.Errorf("%v, strict %v: %v", test.aud, strict, err)
			}
		}
	}
}

func TestKeysThatCannotBeHadAreNoVerdict(t *testing.T) {
	w, _ := signing(t)
	w.site.Answer("/keys", outboundtest.Answer{Status: http.StatusServiceUnavailable})
	refused(t, w, w.resolver(t, w.withSigners(t)), asserting(w.assertionOf(t, "declared-uri", nil)), oauth.TemporarilyUnavailable)
}

func TestADocumentThatCannotBeHadIsNoVerdict(t *testing.T) {
	w, _ := signing(t)
	w.site.Answer(documentPath, outboundtest.Answer{Status: http.StatusServiceUnavailable})
	refused(t, w, w.resolver(t), url.Values{"client_id": {w.id()}}, oauth.TemporarilyUnavailable)
	w.site.Answer(documentPath, outboundtest.Answer{Status: http.StatusNotFound})
	refused(t, w, w.resolver(t), url.Values{"client_id": {w.id()}}, oauth.InvalidClient)
}

func TestAStoreThatCannotRememberLetsNobodyIn(t *testing.T) {
	w, _ := signing(t)
	w.uses.fails = errors.New("the disk is gone")
	c, err := authenticate(t, w.resolver(t, w.withSigners(t)), asserting(w.assertionOf(t, "declared", nil)))
	var refusal *oauth.Error
	if c != nil || !errors.Is(err, w.uses.fails) || errors.As(err, &refusal) {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestAttack22_KeysAtForbiddenAddresses(t *testing.T) {
	w, _ := signing(t)
	w.names.Say("keys.test.", "127.0.0.1")
	for _, uri := range []string{
		w.site.URL + "/keys", "https://127.0.0.1/keys", "https://localhost/keys", "https://keys.test/keys", "https://169.254.169.254/keys",
		"http://keys.test/keys", "https://[::ffff:127.0.0.1]/keys", "https://2130706433/keys",
	} {
		r := w.resolver(t, func(c *catalog.Content) {
			c.Outbound.PrivateHosts = nil
			c.Clients = append(c.Clients, &catalog.Client{ID: "declared", AuthMethod: oauth.AuthMethodPrivateKeyJWT, JWKSURI: uri})
		})
		refused(t, w, r, asserting(w.assertionOf(t, "declared", nil)), oauth.TemporarilyUnavailable)
	}
	if w.site.Visits("/keys") != 0 {
		t.Error("the keys were fetched")
	}
}

func TestTrustedIssuersHaveTheirKeys(t *testing.T) {
	w, _ := signing(t)
	if _, err := w.TrustedKeys(&catalog.TrustedIssuer{JWKS: encode(t, publicKeys())}).Candidates(t.Context(), "", "RS256"); !errors.Is(err, assertion.ErrKeysUnavailable) {
		t.Errorf("before there is a catalog: %v", err)
	}
	w.resolver(t)
	w.site.Say("/.well-known/openid-configuration", encode(t, map[string]string{"issuer": w.site.URL, "jwks_uri": w.site.URL + "/keys"}))
	for name, test := range map[string]struct {
		trusted catalog.TrustedIssuer
		err     error
	}{
		"written":    {catalog.TrustedIssuer{Issuer: "https://gone.example", JWKS: encode(t, publicKeys())}, nil},
		"published":  {catalog.TrustedIssuer{Issuer: "https://gone.example", JWKSURI: w.site.URL + "/keys"}, nil},
		"discovered": {catalog.TrustedIssuer{Issuer: w.site.URL}, nil},
		"elsewhere":  {catalog.TrustedIssuer{Issuer: "https://keys.test"}, assertion.ErrKeysUnavailable},
		"ours":       {catalog.TrustedIssuer{Issuer: w.site.URL, Cluster: true}, assertion.ErrKeysUnavailable},
	} {
		found, err := w.TrustedKeys(&test.trusted).Candidates(t.Context(), "", "RS256")
		if !errors.Is(err, test.err) || (err == nil) != (len(found) == 1) {
			t.Errorf("%s: %d keys, %v", name, len(found), err)
		}
	}
}
