package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

// noSession is what a client is told of a session that is not its own: the words for one
// that does not exist, so that it begins another.
const noSession = `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"there is no such session"}}` + "\n"

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`

// subject makes a token somebody else's than alice's.
func subject(name string) func(*accesstoken.Claims) {
	return func(c *accesstoken.Claims) { c.Subject = name }
}

// within sends a request in a session.
func within(session string) func(*http.Request) { return header(headerSession, session) }

// arrived is how many requests have reached the MCP server.
func (u *upstream) arrived() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.seen)
}

// wantArrivals fails the test unless that many requests have reached the MCP server.
func (u *upstream) wantArrivals(t *testing.T, want int) {
	t.Helper()
	if got := u.arrived(); got != want {
		t.Fatalf("%d requests have reached the MCP server, want %d", got, want)
	}
}

// giveSessions answers initialize with the session's id, 404 within sessions that have
// ended, and everything else as it should be.
func giveSessions(session string) http.HandlerFunc {
	var mu sync.Mutex
	ended := false
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Header.Get(headerSession) == "":
			ended = false
			w.Header().Set(headerSession, session)
		case ended:
			w.WriteHeader(http.StatusNotFound)
			return
		case r.Method == http.MethodDelete:
			ended = true
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	}
}

// inSession is a sidecar in whose MCP server alice has begun the session "s-1".
func inSession(t *testing.T, change ...func(*policy.Policy)) *bench {
	t.Helper()
	b := protect(t, change...)
	b.handler = giveSessions("s-1")
	got := b.post(t, token(t, "todo:read"), initialize)
	wantStatus(t, got, 200)
	if got.Header.Get(headerSession) != "s-1" {
		t.Fatalf("the session's id did not come through: %v", got.Header)
	}
	b.wantArrivals(t, 1)
	return b
}

func TestASessionOfAnotherSubjectDoesNotExist(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mine   func(*accesstoken.Claims)
		method string
	}{
		{"another user's call", subject("mallory"), http.MethodPost},
		{"another user's stream", subject("mallory"), http.MethodGet},
		{"another user's ending of it", subject("mallory"), http.MethodDelete},
		{"another user of the same grant's client and e-mail", func(c *accesstoken.Claims) { c.Subject = "alice2" }, http.MethodPost},
		{"a subject that begins like its owner", subject("alic"), http.MethodPost},
		{"a subject of the same name at another issuer", func(c *accesstoken.Claims) { c.Issuer = "https://other.example/i" }, http.MethodPost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := inSession(t, func(p *policy.Policy) { p.Issuers = append(p.Issuers, "https://other.example/i") })
			bearer := token(t, "todo:read todo:write todo:admin", tt.mine)
			got := b.do(t, tt.method, testPath, bearer, within("s-1"))
			if tt.method == http.MethodPost {
				got = b.post(t, bearer, call("get_task"), within("s-1"))
			}
			wantStatus(t, got, http.StatusNotFound)
			if got.body != noSession || got.challenge() != "" {
				t.Errorf("%s %s", got.body, got.challenge())
			}
			b.wantArrivals(t, 1)
			// The owner has lost nothing by it.
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), within("s-1")), 200)
		})
	}
}

func TestTheAuditSaysThatASessionWasAnothers(t *testing.T) {
	b := inSession(t)
	b.post(t, token(t, "todo:read", subject("mallory")), call("get_task"), within("s-1"))
	stop(t, b)
	events := audited(t, b)
	if len(events) != 2 {
		t.Fatalf("%d events, want 2: %v", len(events), events)
	}
	mallory := by(alice, map[string]any{"msg": "request.received", "decision": "denied", "reason": "session_mismatch",
		"status": 404.0, "subject": "mallory", "session": events[0]["session"]})
	if diff := cmp.Diff(mallory, events[1]); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	if s, _ := events[0]["session"].(string); s == "" || strings.Contains(b.audits.String(), "s-1") {
		t.Errorf("the session is named %q; it has to be told apart and not to be usable", s)
	}
}

func TestASessionGoesOnWithTheNextTokenOfItsSubject(t *testing.T) {
	b := inSession(t)
	for _, change := range []func(*accesstoken.Claims){
		func(*accesstoken.Claims) {},
		func(c *accesstoken.Claims) { c.GrantID = "grant-2" },
		func(c *accesstoken.Claims) { c.ClientID = "another-agent" },
	} {
		bearer := token(t, "todo:read todo:write", change)
		wantStatus(t, b.post(t, bearer, call("create_task"), within("s-1")), 200)
		wantStatus(t, b.do(t, http.MethodGet, testPath, bearer, within("s-1")), 200)
	}
}

func TestDeleteEndsASession(t *testing.T) {
	b := inSession(t)
	wantStatus(t, b.do(t, http.MethodDelete, testPath, token(t, ""), within("s-1")), 204)
	// Nobody's any more: what becomes of it is the MCP server's affair.
	for _, who := range []string{"alice", "bob"} {
		before := b.arrived()
		wantStatus(t, b.post(t, token(t, "todo:read", subject(who)), call("get_task"), within("s-1")), 404)
		b.wantArrivals(t, before+1)
	}
}

func TestADeleteThatTheServerRefusesEndsNothing(t *testing.T) {
	b := inSession(t)
	given := b.handler
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		given(w, r)
	}
	wantStatus(t, b.do(t, http.MethodDelete, testPath, token(t, ""), within("s-1")), 405)
	wantStatus(t, b.post(t, token(t, "todo:read", subject("bob")), call("get_task"), within("s-1")), 404)
	b.wantArrivals(t, 2)
}

func TestOnlyAnAnswerOfSuccessBindsASession(t *testing.T) {
	for _, status := range []int{300, 400, 401, 403, 404, 409, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			b := protect(t)
			b.handler = func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get(HeaderSubject) == "mallory" {
					w.Header().Set(headerSession, "s-given")
					w.WriteHeader(status)
				}
			}
			mallory, bob := token(t, "todo:read", subject("mallory")), token(t, "todo:read", subject("bob"))
			wantStatus(t, b.post(t, mallory, call("get_task"), within("s-named")), status)
			for _, id := range []string{"s-named", "s-given"} {
				wantStatus(t, b.post(t, bob, call("get_task"), within(id)), 200)
				wantStatus(t, b.post(t, mallory, call("get_task"), within(id)), 404)
			}
		})
	}
}

// After a restart, or at another replica, nobody remembers whose a session is.
func TestASessionThatNobodyRemembersIsTheFirstsThatTheServerAccepts(t *testing.T) {
	b := protect(t)
	alice, bob := token(t, "todo:read"), token(t, "todo:read", subject("bob"))
	wantStatus(t, b.post(t, alice, call("get_task"), within("s-old")), 200)
	wantStatus(t, b.post(t, bob, call("get_task"), within("s-old")), 404)
	wantStatus(t, b.post(t, alice, call("get_task"), within("s-old")), 200)
	b.wantArrivals(t, 2)
}

func TestACallThatThePolicyRefusesBindsNoSession(t *testing.T) {
	b := protect(t)
	wantStatus(t, b.post(t, token(t, "todo:read", subject("mallory")), call("purge"), within("s-2")), 403)
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), within("s-2")), 200)
}

func TestSessionIDsThatNoServerMakesAreRefused(t *testing.T) {
	b := protect(t)
	bearer := token(t, "todo:read")
	two := func(r *http.Request) { r.Header[headerSession] = []string{"a", "a"} }
	for name, change := range map[string]func(*http.Request){
		"two headers": two,
		"2 KiB":       within(strings.Repeat("s", 2<<10)),
		"a byte more": within(strings.Repeat("s", maxSessionID+1)),
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, b.post(t, bearer, call("get_task"), change), 400)
			wantStatus(t, b.do(t, http.MethodGet, testPath, bearer, change), 400)
			wantStatus(t, b.do(t, http.MethodDelete, testPath, bearer, change), 400)
		})
	}
	b.untouched(t)
	wantStatus(t, b.post(t, bearer, call("get_task"), within(strings.Repeat("s", maxSessionID))), 200)
}

func TestAServerCannotFillTheMemoryWithItsSessionIDs(t *testing.T) {
	b := protect(t)
	long := strings.Repeat("s", maxSessionID+1)
	b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(headerSession, long) }
	wantStatus(t, b.post(t, token(t, "todo:read"), initialize), 200)
	if n := b.sidecar.sessions.count(); n != 0 {
		t.Errorf("%d sessions are remembered, want none", n)
	}
	many := newSessions()
	for i := range sessionsKept + 100 {
		subject := fmt.Sprint("user ", i/sessionsEach)
		many.bind(fmt.Sprint(i), &accesstoken.Claims{Issuer: testIssuer, Subject: subject})
	}
	if n := many.count(); n != sessionsKept {
		t.Errorf("%d sessions are remembered, want %d", n, sessionsKept)
	}
}

// legacyStream opens a stream of HTTP with SSE and returns the address that it names.
func legacyStream(t *testing.T, b *bench, bearer string) (address string) {
	t.Helper()
	get := b.request(t, bearer, "")
	get.Method, get.Body, get.ContentLength = http.MethodGet, nil, 0
	res := open(t, get)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the stream: %s", res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return text
		}
	}
	t.Fatalf("the stream ended without an address: %v", lines.Err())
	return ""
}

// legacy is an MCP server of 2024-11-05 behind a sidecar: each stream gets an id.
func legacy(t *testing.T, change ...func(*policy.Policy)) *bench {
	t.Helper()
	b := protect(t, append(change, func(p *policy.Policy) { p.Upstream.MessagePath = "/messages" })...)
	var mu sync.Mutex
	opened := 0
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		mu.Lock()
		opened++
		id := opened
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: endpoint\ndata: /messages?sessionId=id-%d\n\n", id)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	return b
}

// at sends a POST to another path and query than the resource's.
func at(target string) func(*http.Request) {
	return func(r *http.Request) { r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?") }
}

func TestWhereALegacyStreamIsPostedToIsItsSubjectsAlone(t *testing.T) {
	b := legacy(t)
	alice, bob := token(t, "todo:read"), token(t, "todo:read", subject("bob"))
	of := map[string]string{alice: legacyStream(t, b, alice), bob: legacyStream(t, b, bob)}
	if of[alice] == of[bob] {
		t.Fatalf("both streams have the address %s", of[alice])
	}
	wantStatus(t, b.post(t, alice, call("get_task"), at(of[alice])), 202)
	wantStatus(t, b.post(t, bob, call("get_task"), at(of[bob])), 202)
	if r, _ := b.last(t); r.RequestURI != of[bob] {
		t.Errorf("the MCP server was asked for %s, want %s", r.RequestURI, of[bob])
	}
	before := b.arrived()
	for bearer, foreign := range map[string]string{alice: of[bob], bob: of[alice]} {
		got := b.post(t, bearer, call("get_task"), at(foreign))
		wantStatus(t, got, 404)
		if got.body != noSession {
			t.Errorf("%s", got.body)
		}
	}
	b.wantArrivals(t, before)
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), at(of[alice])), 202)
	wantStatus(t, b.post(t, alice, call("purge"), at(of[alice])), 403)
	wantStatus(t, b.post(t, "", call("get_task"), at(of[alice])), 401)
}

func TestTheLegacyPathExistsOnlyWhereThePolicyNamesIt(t *testing.T) {
	b := protect(t)
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), at("/messages?sessionId=1")), 404)
	b.untouched(t)
}

func TestASessionThatManyReachForIsOnes(t *testing.T) {
	const subjects, sessions = 8, 20
	b := protect(t)
	tokens := make([]string, subjects)
	for i := range tokens {
		tokens[i] = token(t, "todo:read", subject(fmt.Sprintf("user-%d", i)))
	}
	for s := range sessions {
		id := fmt.Sprintf("s-%d", s)
		var group sync.WaitGroup
		for _, bearer := range tokens {
			group.Go(func() {
				got, err := http.DefaultClient.Do(b.request(t, bearer, call("get_task"), within(id)))
				if err != nil {
					t.Error(err)
					return
				}
				_ = got.Body.Close()
				if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusNotFound {
					t.Errorf("status %d", got.StatusCode)
				}
			})
		}
		group.Wait()
		owners := 0
		for _, bearer := range tokens {
			switch got := b.post(t, bearer, call("get_task"), within(id)); got.StatusCode {
			case http.StatusOK:
				owners++
			case http.StatusNotFound:
			default:
				t.Errorf("status %d", got.StatusCode)
			}
		}
		if owners != 1 {
			t.Errorf("%s has %d owners, want one", id, owners)
		}
	}
}

// A flood of sessions costs the flooder its own oldest, and nobody else's.
func TestNobodyHasOtherPeoplesSessionsForgottenByBeginningMany(t *testing.T) {
	s := newSessions()
	alice, mallory := &accesstoken.Claims{Issuer: "i", Subject: "alice"}, &accesstoken.Claims{Issuer: "i", Subject: "mallory"}
	s.bind("of alice", alice)
	last := 2*sessionsKept - 1
	for i := range last + 1 {
		s.bind("of mallory "+strconv.Itoa(i), mallory)
	}
	if !s.has("of alice", alice) || s.open("of alice", mallory) {
		t.Error("alice's session was forgotten")
	}
	if s.count() != sessionsEach+1 {
		t.Errorf("%d sessions are remembered, want %d", s.count(), sessionsEach+1)
	}
	if newest := "of mallory " + strconv.Itoa(last); !s.has(newest, mallory) || s.open(newest, alice) {
		t.Error("the newest session is not its subject's")
	}
	for i := range 10 * sessionsEach {
		s.bind("short "+strconv.Itoa(i), alice)
		s.forget("short " + strconv.Itoa(i))
	}
	if !s.has("of alice", alice) {
		t.Error("sessions that have ended count on")
	}
}
