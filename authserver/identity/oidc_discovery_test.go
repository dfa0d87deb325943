package identity

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/catalog"
)

func TestDiscoveryHappensOnceAndNotBeforeItIsNeeded(t *testing.T) {
	i := newIssuer(t)
	o := i.provider(nil)
	if n := i.discoveries.Load(); n != 0 {
		t.Errorf("NewOIDC asked %d times", n)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, _, err := o.Begin(t.Context(), callback, Wish{}); err != nil {
				t.Errorf("Begin: %v", err)
			}
		})
	}
	group.Wait()
	if n := i.discoveries.Load(); n != 1 {
		t.Errorf("twenty sign-ins at once asked %d times, want 1", n)
	}
}

func TestAFailedDiscoveryIsTriedAgain(t *testing.T) {
	i := newIssuer(t)
	i.document = func(d map[string]any) { d["issuer"] = "https://evil.example" }
	o := i.provider(nil)
	if _, _, err := o.Begin(t.Context(), callback, Wish{}); !errors.Is(err, ErrUpstream) {
		t.Fatalf("Begin: %v", err)
	}
	i.document = nil
	if _, _, err := o.Begin(t.Context(), callback, Wish{}); err != nil {
		t.Errorf("Begin after it recovered: %v", err)
	}
}

func TestDocumentsThatLeadElsewhereAreRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another issuer":            func(d map[string]any) { d["issuer"] = "https://evil.example" },
		"no authorization endpoint": func(d map[string]any) { delete(d, "authorization_endpoint") },
		"a script to sign in with":  func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" },
		"a file as token endpoint":  func(d map[string]any) { d["token_endpoint"] = "file:///etc/passwd" },
		"no keys":                   func(d map[string]any) { d["jwks_uri"] = "" },
		"endless":                   func(d map[string]any) { d["padding"] = strings.Repeat("x", 2*maxAnswer) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.document = change
			upstream, _, err := i.provider(nil).Begin(t.Context(), callback, Wish{})
			if !errors.Is(err, ErrUpstream) || upstream != "" || len(err.Error()) > 500 {
				t.Errorf("got %q, %v", upstream, err)
			}
		})
	}
}

func TestAnHTTPSIssuerLeadsToHTTPSOnly(t *testing.T) {
	for address, want := range map[string]bool{
		"https://idp.example/token": true, "http://idp.example/token": false, "//idp.example/token": false, "/token": false, "": false,
	} {
		if got := asSafe("https://idp.example", address); got != want {
			t.Errorf("asSafe(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestDiscoveryFollowsNoRedirectToAnotherHost(t *testing.T) {
	i := newIssuer(t)
	elsewhere := httptest.NewServer(http.RedirectHandler(i.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer elsewhere.Close()
	o := NewOIDC("corp", &catalog.OIDCProvider{Issuer: elsewhere.URL, ClientID: "mcpauth"}, nil, nil)
	if _, _, err := o.Begin(t.Context(), callback, Wish{}); !errors.Is(err, ErrUpstream) {
		t.Errorf("got %v", err)
	}
	if n := i.discoveries.Load(); n != 0 {
		t.Errorf("the other host was asked %d times", n)
	}
}

func TestOneCallerWhoLeavesTakesNobodyAlong(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	i := newIssuer(t)
	i.document = func(map[string]any) { asked <- struct{}{}; <-release }
	o := i.provider(nil)
	ctx, leave := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, _, err := o.Begin(ctx, callback, Wish{}); first <- err }()
	wait(t, "the discovery", asked)
	go func() { _, _, err := o.Begin(t.Context(), callback, Wish{}); second <- err }()
	leave()
	if err := wait(t, "the one who left", first); !errors.Is(err, ErrUpstream) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(release)
	if err := wait(t, "the one who stayed", second); err != nil {
		t.Errorf("the one who stayed: %v", err)
	}
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited 20 s for %s", what)
		panic("unreachable")
	}
}
