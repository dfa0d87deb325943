package sidecar

import (
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

// A policy that changes one limit says nothing about the others: who has used theirs up
// has still used it up, and the streams that are open are still open.
func TestALimitOutlivesAChangeOfAnother(t *testing.T) {
	limits := policy.Limits{User: policy.Rate{PerSecond: 1.0 / 3600, Burst: 2, Streams: 1}, Tool: rarely}
	for name, change := range map[string]func(*policy.Policy){
		"of sizes":          func(p *policy.Policy) { p.Limits.MaxBodyBytes = 1 << 20 },
		"of another caller": func(p *policy.Policy) { p.Limits.Client.PerSecond = 1000 },
	} {
		t.Run("calls, after a change "+name, func(t *testing.T) {
			b := limited(t, limits)
			current := reloading(b)
			wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
			current.Store(changed(t, b, change))
			wantTooMany(t, b.post(t, token(t, "todo:read"), call("get_task")))
		})
		t.Run("streams, after a change "+name, func(t *testing.T) {
			b := limited(t, policy.Limits{User: policy.Rate{Streams: 1}})
			b.handler = listening
			current := reloading(b)
			if status, _ := openStream(t, b.get(t, token(t, "todo:read"))); status != 200 {
				t.Fatalf("the stream: %d", status)
			}
			current.Store(changed(t, b, change))
			if status, _ := openStream(t, b.get(t, token(t, "todo:read"))); status != 429 {
				t.Errorf("a second stream, where one may be open: %d", status)
			}
		})
	}
}
