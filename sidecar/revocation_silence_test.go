package sidecar

import (
	"net/http"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/policy"
)

// A feed without news is silent for as long as its server holds a request.
func TestSilenceCannotCloseSoonerThanAFeedWithoutNewsIsSilent(t *testing.T) {
	for _, after := range []int64{10, 20, 59} {
		p := todoPolicy()
		p.Upstream.URL, p.RevocationsURL, p.FailClosedAfter = "http://127.0.0.1:1/mcp", "http://as.test/revocations", after
		if err := p.Prepare(); err == nil {
			t.Errorf("a policy that closes after %d s of silence was taken", after)
		}
	}
}

// The first request after a failure asks how things stand, as the very first does. One
// that the server holds for 25 s leaves everybody refused for as long, although the feed
// is back.
func TestAServerThatWasClosedServesAsSoonAsTheFeedIsBack(t *testing.T) {
	r := following(t, func(p *policy.Policy) { p.FailClosedAfter = 60 })
	bearer := token(t, "todo:read")
	r.feed.setCut(true)
	asked := len(r.feed.queries())
	eventually(t, "the feed to be asked in vain", func() bool { return len(r.feed.queries()) > asked })
	r.clock.Store(int64(70 * time.Second))
	wantStatus(t, r.post(t, bearer, call("get_task")), 503)
	r.feed.setCut(false)
	// The pauses between two attempts grow up to half a minute, on a busy machine as well.
	for deadline := time.Now().Add(time.Minute); r.post(t, bearer, call("get_task")).StatusCode != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited a minute in vain for requests to be served again")
		}
	}
}
