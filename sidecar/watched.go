package sidecar

import (
	"context"
	"sync"
	"time"
)

const (
	// watchEvery is how often open streams are looked at.
	watchEvery = 2 * time.Second
	// streamGrace is for how long a stream goes on when its token has expired: as long as a
	// client has to come back with another, and clocks may differ.
	streamGrace = time.Minute
)

// watched are the event streams that are open. A token is judged when a stream begins, and
// the stream may last for days; so all of them are looked at again and again, and those
// end whose token has. Clients come back for the rest with the token that they have then.
type watched struct {
	mu   sync.Mutex
	open map[*exchange]context.CancelFunc
}

// add watches a stream until the function that it returns is called. Nobody watches while
// there is none.
func (w *watched) add(x *exchange, end context.CancelFunc) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) == 0 {
		w.open = make(map[*exchange]context.CancelFunc)
		go w.watch(w.open)
	}
	w.open[x] = end
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.open, x)
	}
}

// watch ends when there is no stream any more.
func (w *watched) watch(open map[*exchange]context.CancelFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for now := range tick.C {
		w.mu.Lock()
		for x, end := range open {
			if x.outlived(now) {
				x.over.Store(true)
				end()
			}
		}
		done := len(open) == 0
		w.mu.Unlock()
		if done {
			return
		}
	}
}

// outlived reports whether a stream's token was revoked, or has expired for good. The
// stream of HTTP with SSE is its session, which nothing could go on with: it ends by
// revocation alone.
func (x *exchange) outlived(now time.Time) bool {
	if r := x.options.Revocations; r != nil && r.Contains(x.claims.GrantID, x.claims.ID) {
		return true
	}
	return x.site.policy.Upstream.MessagePath == "" && now.After(x.claims.Expiry.Add(streamGrace))
}
