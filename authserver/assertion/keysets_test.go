package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/outbound"
	"github.com/mcpauth/mcpauth/oauth/outbound/outboundtest"
)

// clock is a time that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time           { return now.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(by time.Duration) { c.offset.Add(int64(by)) }

func newKeySets(t *testing.T, h *outboundtest.Site, private ...string) (*KeySets, *clock) {
	t.Helper()
	out, err := outbound.New(outbound.Options{
		PrivateHosts: private, CABundle: h.CABundle(),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{}
	return NewKeySets(KeySetsOptions{Outbound: out, Size: 3, Now: c.now}), c
}

func found(t *testing.T, keys Keys, kid string, want error) {
	t.Helper()
	if got, err := keys.Candidates(t.Context(), kid, "RS256"); !errors.Is(err, want) || (err == nil) != (len(got) == 1) {
		t.Errorf("Candidates(%q): %d keys, %v, want %v", kid, len(got), err, want)
	}
}

func TestPublishedKeysAreFetchedWhenTheyAreNeeded(t *testing.T) {
	h := outboundtest.NewSite(t)
	sets, c := newKeySets(t, h, "127.0.0.1")
	h.Say("/keys", published(t))
	keys := sets.Published(h.URL + "/keys")
	if h.Visits("/keys") != 0 {
		t.Error("they were fetched before")
	}
	for range 5 {
		found(t, sets.Published(h.URL+"/keys"), "rsa", nil)
	}
	if got := h.Visits("/keys"); got != 1 {
		t.Errorf("%d fetches, want 1", got)
	}
	c.advance(time.Minute)
	h.Answer("/keys", outboundtest.Answer{Status: http.StatusServiceUnavailable})
	found(t, keys, "rsa", nil)
	c.advance(24 * time.Hour)
	found(t, keys, "rsa", ErrKeysUnavailable)
}

func TestWrittenKeysAreThoseOfTheText(t *testing.T) {
	sets, _ := newKeySets(t, outboundtest.NewSite(t))
	for range 2 {
		found(t, sets.Written(published(t)), "rsa", nil)
		found(t, sets.Written(published(t)), "other", accesstoken.ErrUnknownKey)
		found(t, sets.Written(`{"keys":[]}`), "rsa", accesstoken.ErrUnknownKey)
		found(t, sets.Written("<html>"), "", accesstoken.ErrUnknownKey)
	}
}

func discovery(t *testing.T, issuer, uri string) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"issuer": issuer, "jwks_uri": uri, "other": []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestKeysAreDiscoveredWhereMetadataMayBe(t *testing.T) {
	for _, test := range []struct{ issuer, path string }{
		{"", "/.well-known/openid-configuration"},
		{"/", "/.well-known/openid-configuration"},
		{"", "/.well-known/oauth-authorization-server"},
		{"/tenant", "/tenant/.well-known/openid-configuration"},
		{"/tenant", "/.well-known/oauth-authorization-server/tenant"},
	} {
		h := outboundtest.NewSite(t)
		sets, c := newKeySets(t, h, "127.0.0.1")
		h.Say(test.path, discovery(t, h.URL+test.issuer, h.URL+"/keys"))
		h.Say("/keys", published(t))
		keys := sets.Discovered(h.URL + test.issuer)
		for range 3 {
			found(t, keys, "rsa", nil)
		}
		if h.Visits(test.path) != 1 || h.Visits("/keys") != 1 {
			t.Errorf("%s: %d visits, and %d to the keys", test.path, h.Visits(test.path), h.Visits("/keys"))
		}
		for _, path := range []string{test.path, "/keys"} {
			h.Answer(path, outboundtest.Answer{Status: http.StatusServiceUnavailable})
		}
		c.advance(2 * time.Hour)
		found(t, keys, "rsa", nil)
	}
}

func TestAttack22_DiscoveryThatLeadsElsewhere(t *testing.T) {
	h := outboundtest.NewSite(t)
	sets, _ := newKeySets(t, h, "127.0.0.1")
	h.Say("/keys", published(t))
	for name, document := range map[string]string{
		"another issuer":          discovery(t, "https://evil.example", h.URL+"/keys"),
		"the issuer with a slash": discovery(t, h.URL+"/", h.URL+"/keys"),
		"no jwks_uri":             `{"issuer":"` + h.URL + `"}`,
		"a private address":       discovery(t, h.URL, "https://10.0.0.1/keys"),
		"a metadata service":      discovery(t, h.URL, "http://169.254.169.254/keys"),
		"plain http elsewhere":    discovery(t, h.URL, "http://example.com/keys"),
		"a file":                  discovery(t, h.URL, "file:///etc/passwd"),
		"another name for us":     discovery(t, h.URL, strings.Replace(h.URL, "127.0.0.1", "localhost", 1)+"/keys"),
		"an issuer twice":         `{"issuer":"https://evil.example","issuer":"` + h.URL + `","jwks_uri":"` + h.URL + `/keys"}`,
		"no JSON":                 "<html>",
		"too large":               discovery(t, h.URL, h.URL+"/keys") + strings.Repeat(" ", maxDocument),
	} {
		h.Say("/.well-known/openid-configuration", document)
		if _, err := sets.Discovered(h.URL).Candidates(t.Context(), "rsa", "RS256"); !errors.Is(err, ErrKeysUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.Visits("/keys") != 0 {
		t.Error("keys were fetched")
	}
}

func TestAttack22_KeySetsOfStrangersAreBounded(t *testing.T) {
	h := outboundtest.NewSite(t)
	h.Say("/keys", published(t))
	sets, c := newKeySets(t, h, "127.0.0.1")
	large := strings.Replace(published(t), "{", `{"x":"`+strings.Repeat("x", maxDocument)+`",`, 1)
	h.Say("/large", large)
	found(t, sets.Published(h.URL+"/large"), "rsa", ErrKeysUnavailable)
	for n := range 500 {
		_, _ = sets.Published(fmt.Sprintf("%s/random-%d", h.URL, n)).Candidates(t.Context(), "rsa", "RS256")
	}
	if visits := h.Visits(""); visits != fetchBurst || sets.remotes.Len() != 3 {
		t.Errorf("%d fetches and %d sets of 500 that were named", visits, sets.remotes.Len())
	}
	c.advance(time.Minute)
	found(t, sets.Published(h.URL+"/keys"), "rsa", nil)
}

func TestAttack22_KeySetsAtForbiddenAddresses(t *testing.T) {
	h := outboundtest.NewSite(t)
	h.Say("/keys", published(t))
	sets, _ := newKeySets(t, h) // no private host
	for _, uri := range []string{
		h.URL + "/keys", "https://127.0.0.1/keys", "https://localhost/keys", "https://[::1]/keys", "https://169.254.169.254/keys",
		"http://127.0.0.1/keys", "https://2130706433/keys", "https://10.0.0.1/keys", "https://user@127.0.0.1/keys", "",
	} {
		found(t, sets.Published(uri), "rsa", ErrKeysUnavailable)
	}
	if h.Visits("/keys") != 0 {
		t.Error("the host was reached")
	}
}
