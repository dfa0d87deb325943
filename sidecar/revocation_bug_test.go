package sidecar

import (
	"net/http"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/policy"
)

// The policy takes any number of seconds, and requests are held for 25.
func TestAFeedWithoutNewsIsNotSilentHoweverSoonSilenceCloses(t *testing.T) {
	keys := string(encodeJSON(t, ring().JWKS()))
	for _, after := range []int64{10, 20} {
		if closed := secondsClosed(t, holding{keys}, after); closed != 0 {
			t.Errorf("failClosedAfter %d s: the server was closed for %d seconds of an hour in which the feed answered", after, closed)
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
	eventually(t, "requests to be served again", func() bool {
		return r.post(t, bearer, call("get_task")).StatusCode == http.StatusOK
	})
}
