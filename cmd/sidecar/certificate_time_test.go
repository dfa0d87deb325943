package main

import (
	"log/slog"
	"testing"
	"time"
)

// Tools that copy files with their times, and clocks of files that stand still for some
// milliseconds, give two certificates one time. The policy is compared by what it says.
func TestANewCertificateOfTheSameTimeIsServedToo(t *testing.T) {
	s := &secret{t: t, folder: t.TempDir(), at: time.Unix(1700000000, 0)}
	s.mount(newPair(t, 1))
	c, err := newCertificate(s.folder, slog.New(slog.DiscardHandler))
	must(t, err)
	now := time.Now()
	c.now = func() time.Time { return now }
	s.mount(newPair(t, 2))
	now = now.Add(lookEvery)
	pair, err := c.get(nil)
	must(t, err)
	if got := pair.Leaf.SerialNumber.Int64(); got != 2 {
		t.Errorf("certificate %d is served, want 2", got)
	}
}
