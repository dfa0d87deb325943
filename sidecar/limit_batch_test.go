package sidecar

import (
	"net/http"
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
				if status, _ := openStream(t, b, b.request(t, token(t, "todo:read"), batch)); status == http.StatusTooManyRequests {
					refused++
				}
			}
			if refused < 2 {
				t.Errorf("of three streams, where one may be open, %d were refused", refused)
			}
		})
	}
}
