package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"k8s.io/client-go/rest"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

const clusterName = "https://kubernetes.default.svc.cluster.local"

// apiServer answers as the part of an API server that tells of its issuer.
type apiServer struct {
	*httptest.Server
	key jose.JSONWebKey

	asked  atomic.Int32 // for the issuer
	answer atomic.Value // a func(http.ResponseWriter) in place of the issuer's document
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &apiServer{key: jose.JSONWebKey{Key: private.Public(), KeyID: "one", Algorithm: "ES256", Use: "sig"}}
	s.tell(clusterName)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		s.answer.Load().(func(http.ResponseWriter))(w)
	})
	mux.HandleFunc("GET /openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key}})
	})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-pod" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) tell(issuer string) {
	s.answer.Store(func(w http.ResponseWriter) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"https://192.0.2.1/openid/v1/jwks"}`, issuer)
	})
}

func (s *apiServer) fail(status int, body string) {
	s.answer.Store(func(w http.ResponseWriter) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// clock is one that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func asking(t *testing.T, host string) (*clusterIssuer, *clock) {
	t.Helper()
	at := &clock{}
	at.advance(time.Hour)
	c, err := newClusterIssuer(&rest.Config{Host: host, BearerToken: "of-the-pod"}, slog.New(slog.DiscardHandler), at.now)
	if err != nil {
		t.Fatal(err)
	}
	return c, at
}

func TestTheAPIServerTellsTheClustersIssuerAndKeys(t *testing.T) {
	api := newAPIServer(t)
	c, _ := asking(t, api.URL)
	if api.asked.Load() != 0 {
		t.Error("it was asked before anybody wanted to know")
	}
	issuer, keys, err := c.Issuer(t.Context())
	if err != nil || issuer != clusterName {
		t.Fatalf("issuer is %q, %v", issuer, err)
	}
	found, err := keys.Candidates(t.Context(), "one", "ES256")
	if err != nil || len(found) != 1 || found[0].KeyID != "one" {
		t.Errorf("keys are %v, %v", found, err)
	}
	if _, err := keys.Candidates(t.Context(), "other", "ES256"); !errors.Is(err, accesstoken.ErrUnknownKey) {
		t.Errorf("a key that the cluster does not publish: %v", err)
	}
}

func TestTheAPIServerIsAskedSeldom(t *testing.T) {
	api := newAPIServer(t)
	c, at := asking(t, api.URL)
	ask := func() string {
		t.Helper()
		issuer, _, err := c.Issuer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return issuer
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { _, _, _ = c.Issuer(t.Context()) })
	}
	group.Wait()
	at.advance(issuerLifetime - time.Second)
	ask()
	if n := api.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	api.tell("https://elsewhere.example.com")
	at.advance(2 * time.Second)
	if got := ask(); got != "https://elsewhere.example.com" {
		t.Errorf("issuer is %q after it changed", got)
	}
}

func TestWhatTheAPIServerSaidHoldsWhileItIsAway(t *testing.T) {
	api := newAPIServer(t)
	c, at := asking(t, api.URL)
	if _, _, err := c.Issuer(t.Context()); err != nil {
		t.Fatal(err)
	}
	api.fail(http.StatusServiceUnavailable, "")
	at.advance(2 * issuerLifetime)
	for range 3 {
		if issuer, _, err := c.Issuer(t.Context()); err != nil || issuer != clusterName {
			t.Errorf("issuer is %q, %v", issuer, err)
		}
	}
	if n := api.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once more", n)
	}
}

func TestAnAPIServerThatDoesNotTellIsAskedAgainLater(t *testing.T) {
	cases := []struct {
		name   string
		status int
		body   string
	}{
		{"forbidden", http.StatusForbidden, `{"issuer":"x"}`},
		{"a redirect", http.StatusFound, ""},
		{"no JSON", http.StatusOK, "<html>"},
		{"no issuer", http.StatusOK, "{}"},
		{"an endless document", http.StatusOK, `{"pad":"` + strings.Repeat("x", maxMetadataSize) + `","issuer":"x"}`},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			api := newAPIServer(t)
			c, at := asking(t, api.URL)
			api.fail(tt.status, tt.body)
			for range 3 {
				if issuer, _, err := c.Issuer(t.Context()); err == nil || issuer != "" {
					t.Errorf("issuer is %q, %v; want an error", issuer, err)
				}
			}
			if n := api.asked.Load(); n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			api.tell(clusterName)
			at.advance(issuerRetry)
			if issuer, _, err := c.Issuer(t.Context()); err != nil || issuer != clusterName {
				t.Errorf("issuer is %q, %v", issuer, err)
			}
		})
	}
}

func TestWhoGivesUpWaitingTakesNothingFromTheOthers(t *testing.T) {
	api := newAPIServer(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	api.answer.Store(func(w http.ResponseWriter) {
		close(arrived)
		<-release
		_, _ = fmt.Fprintf(w, `{"issuer":%q}`, clusterName)
	})
	c, _ := asking(t, api.URL)
	impatient, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error, 1)
	go func() {
		_, _, err := c.Issuer(impatient)
		gaveUp <- err
	}()
	<-arrived
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	close(release)
	if issuer, _, err := c.Issuer(t.Context()); err != nil || issuer != clusterName {
		t.Errorf("issuer is %q, %v", issuer, err)
	}
}
