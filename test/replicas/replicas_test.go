package replicas

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/oauth"
)

// installation is two replicas and the proxy before them.
type installation struct {
	// front is where clients go; the proxy's URL is the issuer.
	front *authservertest.Server
	first *replica
	other *replica
	// alive are those to which the proxy gives requests, in turn.
	alive atomic.Pointer[[]*replica]
}

func install(t *testing.T) *installation {
	t.Helper()
	database, ring := postgrestest.Start(t), writeRing(t)
	i := &installation{}
	var next atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		alive := *i.alive.Load()
		r.SetURL(&url.URL{Scheme: "http", Host: alive[int(next.Add(1))%len(alive)].address})
	}})
	t.Cleanup(proxy.Close)
	i.front = &authservertest.Server{Issuer: proxy.URL}
	i.first, i.other = startReplica(t, proxy.URL, database, ring), startReplica(t, proxy.URL, database, ring)
	i.alive.Store(&[]*replica{i.first, i.other})
	return i
}

func text(answer map[string]any, name string) string {
	value, _ := answer[name].(string)
	return value
}

func want(t *testing.T, status int, answer map[string]any, code oauth.ErrorCode) {
	t.Helper()
	if code == "" && status == http.StatusOK || code != "" && answer["error"] == string(code) {
		return
	}
	t.Fatalf("got %d %v, want %q", status, answer, code)
}

func TestTwoReplicasAreOne(t *testing.T) {
	i := install(t)
	for name, test := range map[string]func(*testing.T, *installation){
		"a client that meets them in turn signs in and refreshes":   inTurn,
		"a code is redeemed at either, once":                        codeOnce,
		"a hundred rotations at both give one successor":            rotations,
		"wrong passwords are counted together":                      passwords,
		"a session and a consent of one hold at the other":          sessions,
		"what one revokes the other refuses, and tells in its feed": revocation,
		"a pushed request is used at either, once":                  pushed,
		"an assertion that was used at one is refused by the other": proofs,
		"a client that registered with one is managed at the other": management,
	} {
		t.Run(name, func(t *testing.T) { test(t, i) })
	}
	t.Run("when one dies the other goes on", func(t *testing.T) { death(t, i) })
}

func inTurn(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	status, tokens := i.front.Redeem(t, app, i.front.SignIn(t, i.front.Begin(app, nil)))
	want(t, status, tokens, "")
	for range 10 {
		status, tokens = i.front.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
		want(t, status, tokens, "")
	}
}

func codeOnce(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	answer := i.front.SignIn(t, i.front.Begin(app, nil))
	won := 0
	for _, got := range together(40, func(n int) (int, map[string]any) {
		return []*replica{i.first, i.other}[n%2].at().Redeem(t, app, answer)
	}) {
		if got["access_token"] != nil {
			won++
		} else if got["error"] != "invalid_grant" {
			t.Errorf("got %v", got)
		}
	}
	if won != 1 {
		t.Errorf("%d redeemed the code, want 1", won)
	}
}

func rotations(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	status, tokens := i.front.Redeem(t, app, i.front.SignIn(t, i.front.Begin(app, nil)))
	want(t, status, tokens, "")
	successors := make(map[string]bool)
	for _, got := range together(100, func(n int) (int, map[string]any) {
		return []*replica{i.first, i.other}[n%2].at().Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	}) {
		successors[text(got, "refresh_token")] = true
	}
	if len(successors) != 1 || successors[""] {
		t.Errorf("got %d successors, want one", len(successors))
	}
}

func passwords(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	signin := authservertest.NewBrowser(t).Get(i.front.Begin(app, nil)).Follow(i.front.Issuer)
	attempt := func(password string) int {
		return signin.Submit("password", url.Values{"username": {authservertest.OtherUsername}, "password": {password}}).Status
	}
	for n := range 8 {
		if got := attempt("wrong"); got != http.StatusUnprocessableEntity {
			t.Fatalf("attempt %d: got %d", n, got)
		}
	}
	for range 2 { // once at each
		if got := attempt(authservertest.Password); got != http.StatusTooManyRequests {
			t.Errorf("after eight wrong ones: got %d, want 429", got)
		}
	}
}

func sessions(t *testing.T, i *installation) {
	app := i.front.Register(t, map[string]any{"redirect_uris": []string{"https://app.example/callback"}})
	browser := authservertest.NewBrowser(t)
	i.front.SignInWith(browser, i.front.Begin(app, nil), authservertest.Username)
	for range 2 {
		page := browser.Get(i.front.Begin(app, nil))
		if page.Location == nil || !page.Location.Query().Has("code") {
			t.Fatalf("somebody is asked again: %d %v", page.Status, page.Location)
		}
	}
	browser.Get(i.front.Issuer+"/account").Submit("signout", url.Values{"signout": {"yes"}})
	for range 2 {
		if page := browser.Get(i.front.Begin(app, nil)).Follow(i.front.Issuer); !page.Has("password") {
			t.Errorf("after signing out nobody is asked: %d %v", page.Status, page.Location)
		}
	}
}

func revocation(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	status, tokens := i.front.Redeem(t, app, i.front.SignIn(t, i.front.Begin(app, nil)))
	want(t, status, tokens, "")
	told := make(chan map[string]any, 1)
	_, before := i.other.at().Call(t, http.MethodGet, i.other.at().Issuer+"/revocations", "", "")
	go func() {
		_, feed := i.other.at().Call(t, http.MethodGet, i.other.at().Issuer+"/revocations?wait=30&after="+text(before, "next"), "", "")
		told <- feed
	}()
	form := url.Values{"client_id": {app.ID}, "token": {text(tokens, "refresh_token")}}
	began := time.Now()
	i.first.at().Call(t, http.MethodPost, i.first.at().ResourceIssuer()+"/oauth/revoke", "application/x-www-form-urlencoded", form.Encode())
	status, got := i.other.at().Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	want(t, status, got, oauth.InvalidGrant)
	if feed := <-told; len(feed["revocations"].([]any)) == 0 {
		t.Error("the other replica's feed was not told within 30 s")
	}
	t.Logf("the other replica's feed was told %v after the request began", time.Since(began).Round(time.Millisecond))
}

func pushed(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	_, answer := i.first.at().Call(t, http.MethodPost, i.first.at().ResourceIssuer()+"/oauth/par", "application/x-www-form-urlencoded",
		authservertest.Parameters(app, nil).Encode())
	target := i.front.ResourceIssuer() + "/oauth/authorize?" + url.Values{"client_id": {app.ID}, "request_uri": {text(answer, "request_uri")}}.Encode()
	if got := i.front.SignIn(t, target); !got.Has("code") {
		t.Errorf("got %v", got)
	}
	for range 2 {
		if page := authservertest.NewBrowser(t).Get(target); page.Status != http.StatusBadRequest {
			t.Errorf("the second time: got %d", page.Status)
		}
	}
}

func proofs(t *testing.T, i *installation) {
	proof := newProof(t, i.front.ResourceIssuer()+"/oauth/token")
	ask := func(r *replica) (int, map[string]any) {
		form := url.Values{"grant_type": {"client_credentials"}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.at().ResourceIssuer()+"/oauth/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("DPoP", proof)
		request.SetBasicAuth(authservertest.AgentID, authservertest.AgentSecret)
		return i.front.Do(t, request)
	}
	status, got := ask(i.first)
	want(t, status, got, "")
	status, got = ask(i.other)
	want(t, status, got, oauth.InvalidDPoPProof)
}

func management(t *testing.T, i *installation) {
	_, client := i.first.at().Call(t, http.MethodPost, i.first.at().ResourceIssuer()+"/client_register", "application/json",
		`{"redirect_uris":["https://app.example/callback"],"token_endpoint_auth_method":"none"}`)
	uri := i.other.at().ResourceIssuer() + "/client_register/" + text(client, "client_id")
	for _, wanted := range []int{http.StatusNoContent, http.StatusUnauthorized} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+text(client, "registration_access_token"))
		if status, got := i.front.Do(t, request); status != wanted {
			t.Errorf("got %d %v, want %d", status, got, wanted)
		}
	}
}

func death(t *testing.T, i *installation) {
	app := i.front.Register(t, nil)
	browser := authservertest.NewBrowser(t)
	consent := i.front.ConsentPage(browser, i.front.Begin(app, nil), authservertest.Username)
	if err := i.first.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	i.alive.Store(&[]*replica{i.other})
	answer := consent.Submit("decision", url.Values{"decision": {"approve"}}).Location.Query()
	status, tokens := i.other.at().Redeem(t, app, answer)
	want(t, status, tokens, "")
	status, tokens = i.other.at().Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	want(t, status, tokens, "")
}

// together makes n calls at once and returns the answers.
func together(n int, call func(int) (int, map[string]any)) []map[string]any {
	var group sync.WaitGroup
	start := make(chan struct{})
	answers := make([]map[string]any, n)
	for k := range n {
		group.Go(func() {
			<-start
			_, answers[k] = call(k)
		})
	}
	close(start)
	group.Wait()
	return answers
}
