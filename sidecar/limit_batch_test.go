package sidecar

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

// A stream that is opened by a batch holds a connection like any other.
func TestListeningInABatchIsAStreamToo(t *testing.T) {
	const ping = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
	for name, batch := range map[string]string{
		"behind another message": "[" + ping + "," + listen + "]",
		"twice":                  "[" + listen + "," + listen + "]",
	} {
		t.Run(name, func(t *testing.T) {
			b := limited(t, policy.Limits{User: policy.Rate{Streams: 1}})
			b.handler = listening
			refused := 0
			for range 3 {
				if status, _ := openStream(t, b.request(t, token(t, "todo:read"), batch)); status == http.StatusTooManyRequests {
					refused++
				}
			}
			if refused < 2 {
				t.Errorf("of three streams, where one may be open, %d were refused", refused)
			}
		})
	}
}

// A batch passes as a whole or not at all: what is refused must not use up what others
// are waiting for.
func TestARefusedBatchUsesNothingOfItsTools(t *testing.T) {
	three := policy.Limits{Tool: policy.Rate{PerSecond: 1.0 / 3600, Burst: 3}}
	bearer := token(t, "todo:read")
	t.Run("of the tool that it calls too often", func(t *testing.T) {
		b := limited(t, three)
		wantTooMany(t, b.post(t, bearer, "["+strings.Repeat(call("get_task")+",", 4)+call("get_task")+"]"))
		b.untouched(t)
		wantStatus(t, b.post(t, token(t, "todo:read", subject("bob")), call("get_task")), 200)
	})
	t.Run("of the others in the batch", func(t *testing.T) {
		b := limited(t, three)
		for range 3 {
			wantStatus(t, b.post(t, bearer, call("get_task")), 200)
			wantTooMany(t, b.post(t, bearer, "["+strings.Repeat(call("get_other")+",", 3)+strings.Repeat(call("get_task")+",", 3)+call("get_task")+"]"))
		}
		wantStatus(t, b.post(t, token(t, "todo:read", subject("bob")), call("get_other")), 200)
	})
}
