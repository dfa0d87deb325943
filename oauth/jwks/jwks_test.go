package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/outbound"
)

var (
	_ accesstoken.KeySource = (*Set)(nil)
	_ accesstoken.KeySource = (*Remote)(nil)
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// document is a key set that publishes one RSA key under each of the ids.
func document(t *testing.T, kids ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: rsaKey().Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"})
	}
	return encode(t, set)
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// issuer publishes whatever answer says and counts how often it is asked.
type issuer struct {
	fetches atomic.Int64
	answer  func() (status int, header http.Header, body []byte)
	delay   time.Duration
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.fetches.Add(1)
	select {
	case <-time.After(i.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	status, header, body := i.answer()
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, nil
}

func publishes(body []byte) func() (int, http.Header, []byte) {
	return func() (int, http.Header, []byte) { return http.StatusOK, http.Header{}, body }
}

func isAway() (int, http.Header, []byte) { return 0, nil, nil }

func remote(i *issuer, change ...func(*Options)) *Remote {
	options := Options{URL: "http://as.test/keys", Transport: i}
	for _, c := range change {
		c(&options)
	}
	return NewRemote(options)
}

func TestParseKeepsOnlyKeysThatVerifySignatures(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := rsaKey().Public()
	tests := []struct {
		name string
		key  any
		kept bool
	}{
		{"an RSA key for signatures", jose.JSONWebKey{Key: public, KeyID: "k", Use: "sig"}, true},
		{"an RSA key without a use", jose.JSONWebKey{Key: public, KeyID: "k"}, true},
		{"an elliptic curve key", jose.JSONWebKey{Key: ec.Public(), KeyID: "k"}, true},
		{"a key for encryption", jose.JSONWebKey{Key: public, KeyID: "k", Use: "enc"}, false},
		{"a key without an id", jose.JSONWebKey{Key: public}, false},
		{"a key with an id of 5,000 bytes", jose.JSONWebKey{Key: public, KeyID: strings.Repeat("k", 5000)}, false},
		{"a symmetric key", jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "k"}, false},
		{"a private key", jose.JSONWebKey{Key: rsaKey(), KeyID: "k"}, false},
		{"an RSA key of 1024 bits", jose.JSONWebKey{Key: weak.Public(), KeyID: "k"}, false},
		{"a key of an unknown type", map[string]string{"kty": "PQ", "kid": "k"}, false},
		{"something that is no key", 7, false},
		{"a key that may only sign", map[string]any{"kty": "EC", "crv": "P-256", "kid": "k", "key_ops": []string{"sign"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Beside it stands a good key: a strange one must not spoil the set.
			good := jose.JSONWebKey{Key: public, KeyID: "good"}
			set, err := Parse(encode(t, map[string]any{"keys": []any{tt.key, good}}))
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if tt.kept {
				want = 2
			}
			if set.Len() != want {
				t.Errorf("the set holds %d keys, want %d", set.Len(), want)
			}
			if _, err := set.Key(t.Context(), "good"); err != nil {
				t.Errorf("the good key beside it: %v", err)
			}
		})
	}
}

func TestParseRefusesDocumentsThatCouldVerifyNothing(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":             "",
		"no JSON":             "<html>",
		"an array":            "[]",
		"no keys":             `{}`,
		"an empty set":        `{"keys":[]}`,
		"only a foreign key":  `{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0"}]}`,
		"more than its bound": `{"keys":[]` + strings.Repeat(" ", MaxSize) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			if set, err := Parse([]byte(data)); err == nil {
				t.Errorf("Parse gave a set of %d keys, want an error", set.Len())
			}
		})
	}
}

func TestBootstrapServesWhileTheIssuerIsAway(t *testing.T) {
	r := remote(&issuer{answer: isAway})
	if err := r.Bootstrap(document(t, "one")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(t.Context(), "one"); err != nil {
		t.Errorf("Key of a bootstrap key: %v", err)
	}
	if _, err := r.Key(t.Context(), "two"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
		t.Errorf("Key of another one: %v, want ErrKeysUnavailable: the issuer may publish it", err)
	}
}

func TestBootstrapNeverReplacesFetchedKeys(t *testing.T) {
	r := remote(&issuer{answer: publishes(document(t, "new"))})
	if _, err := r.Key(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	if err := r.Bootstrap(document(t, "old")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(t.Context(), "new"); err != nil {
		t.Errorf("a later bootstrap displaced the fetched key: %v", err)
	}
}

func TestBootstrapBringsNewKeysWhileTheIssuerIsAway(t *testing.T) {
	i := &issuer{answer: publishes(document(t, "old"))}
	r := remote(i)
	if _, err := r.Key(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	i.answer = isAway
	if _, err := r.Key(t.Context(), "new"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
		t.Fatalf("Key: %v, want ErrKeysUnavailable", err)
	}
	if err := r.Bootstrap(document(t, "old", "new")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(t.Context(), "new"); err != nil {
		t.Errorf("the key that the new copy brought: %v", err)
	}
}

func TestKeyWithoutAnyKeysIsUnavailable(t *testing.T) {
	r := remote(&issuer{answer: isAway})
	if _, err := r.Key(t.Context(), "one"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
		t.Errorf("Key: %v, want ErrKeysUnavailable", err)
	}
}

func TestWithoutURLTheBootstrapIsAllThereIs(t *testing.T) {
	r := NewRemote(Options{})
	if err := r.Bootstrap(document(t, "one")); err != nil {
		t.Fatal(err)
	}
	r.Run(t.Context()) // returns at once
	if _, err := r.Key(t.Context(), "two"); !errors.Is(err, accesstoken.ErrUnknownKey) {
		t.Errorf("Key: %v, want ErrUnknownKey", err)
	}
}

func TestUnknownKeyIsFetchedAtOnce(t *testing.T) {
	i := &issuer{answer: publishes(document(t, "one"))}
	r := remote(i)
	if _, err := r.Key(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	i.answer = publishes(document(t, "one", "two"))
	if _, err := r.Key(t.Context(), "two"); err != nil {
		t.Errorf("the key that was published since: %v", err)
	}
	if _, err := r.Key(t.Context(), "three"); !errors.Is(err, accesstoken.ErrUnknownKey) {
		t.Errorf("a key that nobody publishes: %v, want ErrUnknownKey", err)
	}
}

func TestAttack26_RandomKeyIDFloodCausesBoundedFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{answer: publishes(document(t, "one")), delay: 100 * time.Millisecond}
		r := remote(i)
		if _, err := r.Key(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		before := i.fetches.Load()
		for second := range 60 {
			flood(t, r, second)
			if _, err := r.Key(t.Context(), "one"); err != nil {
				t.Fatalf("a known key during the flood: %v", err)
			}
			time.Sleep(time.Second)
		}
		// One for each 10 s of the minute, and the burst.
		if got, most := i.fetches.Load()-before, int64(6+DefaultRefetchBurst+1); got > most {
			t.Errorf("6,000 unknown key ids in a minute caused %d fetches, want at most %d", got, most)
		}
	})
}

func flood(t *testing.T, r *Remote, second int) {
	var wg sync.WaitGroup
	for n := range 100 {
		wg.Go(func() {
			_, err := r.Key(t.Context(), fmt.Sprintf("random-%d-%d", second, n))
			if !errors.Is(err, accesstoken.ErrUnknownKey) {
				t.Errorf("an invented key id: %v, want ErrUnknownKey", err)
			}
		})
	}
	wg.Wait()
}

func TestConcurrentLookupsOfANewKeyShareOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{answer: publishes(document(t, "new")), delay: time.Second}
		r := remote(i)
		if err := r.Bootstrap(document(t, "old")); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := r.Key(t.Context(), "new"); err != nil {
					t.Errorf("Key: %v", err)
				}
			})
		}
		wg.Wait()
		if got := i.fetches.Load(); got != 1 {
			t.Errorf("50 lookups caused %d fetches, want 1", got)
		}
	})
}

func TestCallerWhoGivesUpDoesNotEndTheFetchOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := remote(&issuer{answer: publishes(document(t, "new")), delay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := r.Key(ctx, "new"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient caller: %v, want its own deadline", err)
		}
		if _, err := r.Key(t.Context(), "new"); err != nil {
			t.Errorf("the patient caller: %v", err)
		}
	})
}

func TestLastGoodSetStaysWhenTheAnswerIsBad(t *testing.T) {
	good := document(t, "one")
	for name, answer := range map[string]func() (int, http.Header, []byte){
		"unreachable": isAway,
		"an error":    func() (int, http.Header, []byte) { return http.StatusInternalServerError, nil, good },
		"a redirect": func() (int, http.Header, []byte) {
			return http.StatusFound, http.Header{"Location": {"http://elsewhere.test/keys"}}, good
		},
		"HTML":      publishes([]byte("<html>")),
		"an empty":  publishes([]byte(`{"keys":[]}`)),
		"too large": publishes([]byte(`{"keys":[` + strings.Repeat(" ", MaxSize) + `]}`)),
		"not 200":   func() (int, http.Header, []byte) { return http.StatusNoContent, nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			i := &issuer{answer: publishes(good)}
			r := remote(i)
			if _, err := r.Key(t.Context(), "one"); err != nil {
				t.Fatal(err)
			}
			i.answer = answer
			if _, err := r.Key(t.Context(), "two"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
				t.Errorf("an unknown key: %v, want ErrKeysUnavailable", err)
			}
			if _, err := r.Key(t.Context(), "one"); err != nil {
				t.Errorf("a key of the last good set: %v", err)
			}
			if got := i.fetches.Load(); got != 2 {
				t.Errorf("%d requests were made, want 2: nothing is followed", got)
			}
		})
	}
}

func TestRunLearnsAKeyBeforeAnyTokenNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		header := http.Header{"Cache-Control": {"public, max-age=300"}}
		first, later := document(t, "one"), document(t, "one", "two")
		var rotated atomic.Bool
		i := &issuer{answer: func() (int, http.Header, []byte) {
			if rotated.Load() {
				return http.StatusOK, header, later
			}
			return http.StatusOK, header, first
		}}
		r := remote(i)
		go r.Run(ctx)
		synctest.Wait()
		rotated.Store(true)
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if r.Len() != 2 {
			t.Errorf("after one max-age %d keys are known, want 2", r.Len())
		}
		time.Sleep(time.Hour)
		// Every 225 to 300 s, so 12 to 16 times an hour after the first two.
		if got := i.fetches.Load(); got < 12 || got > 20 {
			t.Errorf("%d fetches in an hour of max-age=300", got)
		}
	})
}

func TestRunRetriesSoonAfterAFailureAndThenLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		i := &issuer{answer: isAway}
		r := remote(i)
		go r.Run(ctx)
		time.Sleep(4 * time.Second)
		if got := i.fetches.Load(); got < 2 {
			t.Errorf("%d tries in the first 4 s, want at least 2", got)
		}
		before := i.fetches.Load()
		time.Sleep(time.Hour)
		if got := i.fetches.Load() - before; got > 90 {
			t.Errorf("%d tries in the hour after, want at most 90", got)
		}
	})
}

func TestMaxAgeIsReadAndBounded(t *testing.T) {
	r := NewRemote(Options{})
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", DefaultMinRefresh},
		{"max-age=60", time.Minute},
		{`Public, Max-Age="120"`, 2 * time.Minute},
		{"max-age=1", DefaultMinRefresh},
		{"max-age=86400", DefaultMaxRefresh},
		{"max-age=60, no-store", DefaultMinRefresh},
		{"max-age=-5", DefaultMinRefresh},
		{"max-age=99999999999999999999", DefaultMinRefresh},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			got := r.refreshAfter(outbound.MaxAge(http.Header{"Cache-Control": {tt.header}}, 0))
			if got != tt.want {
				t.Errorf("the next fetch is after %s, want %s", got, tt.want)
			}
		})
	}
}
