package binaries

import (
	"fmt"
	"sync"
	"time"
)

// reportEvery is the pause between two lines about one long build.
const reportEvery = 15 * time.Second

// reporter tells that a build is alive: what is built, and since when.
type reporter struct {
	cache *Cache
	title string
	began time.Time
	done  chan struct{}
	wait  sync.WaitGroup
}

func newReporter(c *Cache, title string) *reporter {
	r := &reporter{cache: c, title: title, began: c.Now(), done: make(chan struct{})}
	fmt.Fprintf(c.Progress, "%s: building\n", title)
	r.wait.Go(r.run)
	return r
}

func (r *reporter) run() {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.done:
			return
		case <-tick.C:
			r.line("still building")
		}
	}
}

func (r *reporter) finish(err error) {
	close(r.done)
	r.wait.Wait()
	if err != nil {
		r.line("failed")
		return
	}
	r.line("built")
}

func (r *reporter) line(what string) {
	fmt.Fprintf(r.cache.Progress, "%s: %s, %.0f s\n", r.title, what, r.cache.Now().Sub(r.began).Seconds())
}
