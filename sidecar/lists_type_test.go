package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Servers echo Accept, and begin texts with a byte order mark. Clients that go by the
// beginning of the type, or by none, read JSON in both.
func TestAListThatIsJSONToSomebodyDoesNotPassUnread(t *testing.T) {
	for _, tt := range []struct{ name, mediaType, body string }{
		{"both types", "application/json, text/event-stream", allTools},
		{"both types, the other way", "text/event-stream, application/json", allTools},
		{"a parameter that looks like the other type", `application/json; profile="text/event-stream"`, allTools},
		{"a mark in text", "text/plain", "\ufeff" + allTools},
		{"a mark in nothing", "", "\ufeff" + allTools},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if tt.mediaType != "" {
					w.Header().Set("Content-Type", tt.mediaType)
				}
				_, _ = io.WriteString(w, tt.body)
			})
			if got := b.post(t, token(t, "todo:read"), list("tools")); strings.Contains(got.body, "purge") {
				t.Errorf("%d: a list came through whole: %.60s", got.StatusCode, got.body)
			}
		})
	}
}
