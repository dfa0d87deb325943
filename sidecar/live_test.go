package sidecar

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

type brokenTransport struct{}

func (brokenTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// issuerTransport publishes the keys of ring and counts fetches.
type issuerTransport struct {
	body    string
	fetches atomic.Int64
}

func (i *issuerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	i.fetches.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(i.body)), Request: r}, nil
}

func prepared(t *testing.T, change func(*policy.Policy)) *policy.Policy {
	t.Helper()
	p := todoPolicy()
	p.Upstream.Port = 8080
	change(p)
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLiveIsReadyFromItsCopyOfTheKeys(t *testing.T) {
	kid := ring().Active().KeyID()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		live := &Live{Transport: brokenTransport{}}
		if live.Ready() == nil {
			t.Error("Ready before there is a policy")
		}
		if err := live.Apply(ctx, prepared(t, func(*policy.Policy) {})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if live.Ready() == nil {
			t.Error("Ready without any key")
		}
		err := live.Apply(ctx, prepared(t, func(p *policy.Policy) { p.JWKS = encodeJSON(t, ring().JWKS()) }))
		if err != nil {
			t.Fatal(err)
		}
		if err := live.Ready(); err != nil {
			t.Errorf("Ready with a copy of the keys: %v", err)
		}
		if _, err := live.Key(ctx, kid); err != nil {
			t.Errorf("Key: %v", err)
		}
	})
}

func TestLiveFollowsThePolicyToAnotherSourceOfKeys(t *testing.T) {
	published := string(encodeJSON(t, ring().JWKS()))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		transport := &issuerTransport{body: published}
		live := &Live{Transport: transport}
		apply := func(url string) {
			t.Helper()
			if err := live.Apply(ctx, prepared(t, func(p *policy.Policy) { p.JWKSURL = url })); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		apply("http://one.test/keys")
		apply("http://one.test/keys")
		if got := transport.fetches.Load(); got != 1 {
			t.Errorf("an equal source was fetched %d times, want once", got)
		}
		apply("http://two.test/keys")
		if got := transport.fetches.Load(); got != 2 {
			t.Errorf("%d fetches after the source changed, want 2", got)
		}
		time.Sleep(time.Hour)
		// One source, at least every 15 minutes and at most every 30 s less jitter.
		if got := transport.fetches.Load(); got > 2+160 {
			t.Errorf("%d fetches in an hour: the first source is still followed", got)
		}
		if live.Keys() != 1 {
			t.Errorf("%d keys are known, want 1", live.Keys())
		}
	})
}

func TestLiveRefusesAPolicyThatCannotBeServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		live := &Live{Transport: brokenTransport{}}
		good := prepared(t, func(*policy.Policy) {})
		if err := live.Apply(ctx, good); err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*policy.Policy){
			"a resource that is no URL":         func(p *policy.Policy) { p.Resource = "todo" },
			"a resource in plain http":          func(p *policy.Policy) { p.Resource = "http://mcp.example.com/mcp" },
			"no upstream":                       func(p *policy.Policy) { p.Upstream = policy.Upstream{} },
			"an upstream that is no URL":        func(p *policy.Policy) { p.Upstream.URL = "localhost:8080" },
			"an upstream with a query":          func(p *policy.Policy) { p.Upstream.URL = "http://localhost:8080/?a=b" },
			"a copy of keys that holds no keys": func(p *policy.Policy) { p.JWKS = []byte(`{"keys":[]}`) },
		} {
			if err := live.Apply(ctx, prepared(t, change)); err == nil {
				t.Errorf("%s: Apply succeeded", name)
			}
			if live.Policy() != good {
				t.Errorf("%s: the old policy is not in force any more", name)
			}
		}
		if _, err := live.Key(ctx, "x"); !errors.Is(err, accesstoken.ErrKeysUnavailable) {
			t.Errorf("Key: %v", err)
		}
	})
}

func TestANewPolicyCountsFromTheNextRequestOn(t *testing.T) {
	b := protect(t)
	var current atomic.Pointer[policy.Policy]
	current.Store(b.policy)
	b.sidecar.options.Policy = current.Load
	bearer := token(t, "todo:read")
	wantStatus(t, b.post(t, bearer, call("create_task")), 403)

	next := prepared(t, func(p *policy.Policy) {
		p.Upstream = b.policy.Upstream
		p.Scopes[0].Tools = append(p.Scopes[0].Tools, "create_task")
	})
	current.Store(next)
	wantStatus(t, b.post(t, bearer, call("create_task")), 200)
}
