package sidecar

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/revocation"
	"github.com/mcpauth/mcpauth/policy"
)

// revoking gives a bench revocations that the test makes.
func revoking(b *bench) *revocation.Set {
	set := &revocation.Set{}
	b.sidecar.options.Revocations = set
	return set
}

func TestAStreamEndsWithTheGrantThatItsTokenCameFrom(t *testing.T) {
	for name, body := range map[string]string{"a stream of GET": "", "a stream that a message opens": `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}`} {
		t.Run(name, func(t *testing.T) {
			b := protect(t)
			revoked := revoking(b)
			ended := make(chan struct{})
			b.handler = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				event(w, "first")
				<-r.Context().Done()
				close(ended)
			}
			r := b.request(t, token(t, "todo:read"), body)
			if body == "" {
				r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
			}
			res := open(t, r)
			revoked.Add([]revocation.Revocation{{ID: "grant-1", Expires: time.Now().Add(time.Hour)}}, time.Now())
			await(t, ended, "the MCP server's stream to end")
			if _, err := res.Body.Read(make([]byte, 1<<10)); err != nil {
				t.Errorf("the first event: %v", err)
			}
		})
	}
}

func TestARevokedTokenHearsNoMoreEvents(t *testing.T) {
	b := protect(t)
	revoked := revoking(b)
	more := make(chan struct{})
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, "first")
		<-more
		event(w, "secret")
	}
	r := b.request(t, token(t, "todo:read"), "")
	r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
	res := open(t, r)
	revoked.Add([]revocation.Revocation{{ID: "grant-1", Expires: time.Now().Add(time.Hour)}}, time.Now())
	close(more)
	var heard strings.Builder
	buffer := make([]byte, 1<<10)
	for {
		n, err := res.Body.Read(buffer)
		heard.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	if strings.Contains(heard.String(), "secret") {
		t.Errorf("it heard %q", heard.String())
	}
}

func TestAStreamEndsAWhileAfterItsTokenButForTheOneThatIsASession(t *testing.T) {
	now := time.Now()
	x := &exchange{Sidecar: &Sidecar{}, site: &site{policy: &policy.Policy{}}, claims: &accesstoken.Claims{Expiry: now}}
	if x.outlived(now.Add(streamGrace)) || !x.outlived(now.Add(streamGrace+time.Second)) {
		t.Error("it does not end when it should")
	}
	x.site.policy.Upstream.MessagePath = "/messages"
	if x.outlived(now.Add(24 * time.Hour)) {
		t.Error("the stream of HTTP with SSE ended with its first token")
	}
}

// Who does not send the body that it has announced must not hold a connection for ever.
func TestABodyThatDoesNotComeHoldsNoAnswerBack(t *testing.T) {
	b := protect(t)
	for name, bearer := range map[string]string{"without a token": "", "with a token that is refused": "x.y.z"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authorization := ""
			if bearer != "" {
				authorization = "Authorization: Bearer " + bearer + "\r\n"
			}
			res := raw(t, b, "POST "+testPath+" HTTP/1.1\r\nHost: x\r\n"+authorization+"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("status %s", res.Status)
			}
		})
	}
}

func TestListeningForResourcesNeedsTheScopesThatOpenThem(t *testing.T) {
	b := protect(t)
	b.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
	listening := func(params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":` + params + `}`
	}
	for _, tt := range []struct {
		params string
		want   int
	}{
		{`{"notifications":{"toolsListChanged":true}}`, 200},
		{`{"notifications":{"resourceSubscriptions":["todo://tasks/1"]}}`, 200},
		{`{"notifications":{"resourceSubscriptions":["admin://x"]}}`, 403},
		{`{"notifications":{"resourceSubscriptions":["todo://tasks/1","admin://x"]}}`, 403},
		{`{"notifications":{"resourceSubscriptions":[],"resourceSubscriptions":["admin://x"]}}`, 400},
		{`{"notifications":{"ResourceSubscriptions":["admin://x"]}}`, 400},
		{`{"Notifications":{"resourceSubscriptions":["admin://x"]}}`, 400},
		{`{"notifications":{"resourceSubscriptions":[7]}}`, 400},
		{`{"notifications":{"resourceSubscriptions":"admin://x"}}`, 400},
		{`[]`, 400},
	} {
		wantStatus(t, b.post(t, token(t, "todo:read"), listening(tt.params)), tt.want)
	}
}
