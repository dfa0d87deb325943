package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Whoever asks chooses the ids: two messages with one id, or with two numbers that a
// float64 does not tell apart, must not hide a list behind another.
func TestIDsThatLookAlikeDoNotHideAList(t *testing.T) {
	numbered := func(message, id string) string { return strings.Replace(message, `"id":1`, `"id":`+id, 1) }
	for _, tt := range []struct{ name, first, second string }{
		{"the same number", "1", "1"},
		{"the same text", `"a"`, `"a"`},
		{"numbers beyond what a float64 tells apart", "9007199254740992", "9007199254740993"},
		{"null", "null", "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := filtering(t, answering("application/json", "["+numbered(allTools, tt.first)+","+numbered(allPrompts, tt.second)+"]"))
			got := b.post(t, token(t, "todo:read"), "["+numbered(list("tools"), tt.first)+","+numbered(list("prompts"), tt.second)+"]")
			if strings.Contains(got.body, "purge") || strings.Contains(got.body, "report") {
				t.Errorf("a list came through whole: %s", got.body)
			}
		})
	}
}

// What is no JSON to us may be JSON to a client.
func TestAListOfAnotherMediaTypeDoesNotPassUnread(t *testing.T) {
	for _, mediaType := range []string{
		"", "text/json", "text/plain", "application/json-rpc", "application/vnd.mcp+json",
		"application/json; charset=utf-8; charset=utf-8", "application/json, application/json",
	} {
		t.Run(mediaType, func(t *testing.T) {
			b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if mediaType != "" {
					w.Header().Set("Content-Type", mediaType)
				}
				_, _ = io.WriteString(w, allTools)
			})
			if got := b.post(t, token(t, "todo:read"), list("tools")); strings.Contains(got.body, "purge") {
				t.Errorf("%d: a list came through whole: %s", got.StatusCode, got.body)
			}
		})
	}
}

// A client begins a new session on 404, and does without a stream on 405: on 502 it does
// neither.
func TestAnErrorWithAnEmptyBodyKeepsItsStatus(t *testing.T) {
	for _, status := range []int{202, 400, 404, 405, 500} {
		for name, body := range map[string]string{"empty": "", "text": "no"} {
			b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			})
			if status >= 400 || body == "" {
				if got := b.post(t, token(t, "todo:read"), list("tools")); got.StatusCode != status {
					t.Errorf("asking for a list, %d with a body that is %s: %d %s", status, name, got.StatusCode, got.body)
				}
			}
			if got := b.do(t, http.MethodGet, testPath, token(t, "")); got.StatusCode != status {
				t.Errorf("GET, %d with a body that is %s: %d %s", status, name, got.StatusCode, got.body)
			}
		}
	}
}

// A stream may begin with an event without data, so that clients know an id to go on from;
// what has data that is no JSON may be a list to a parser that is more lenient than ours.
func TestAnEventWithoutDataPassesBeforeAListAndOneThatCannotBeReadDoesNot(t *testing.T) {
	for name, tt := range map[string]struct {
		before string
		passes bool
	}{
		"an event without data":      {"id: 1\ndata:\n\n", true},
		"an event of white space":    {"id: 1\ndata:  \n\n", true},
		"a number that JSON has not": {"data: {\"id\":1,\"result\":{\"tools\":[{\"name\":\"purge\"}],\"x\":NaN}}\n\n", false},
		"a notification before it":   {"data: {\"method\":\"notifications/progress\"}\n\n", true},
		"text of another name":       {"event: ping\ndata: hello\n\n", true},
		"a list that is cut short":   {"data: [{\"id\":1,\"result\":{\"tools\":[{\"name\":\"purge\"}\n\n", false},
		"data that is no JSON":       {"data: {half\n\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, tt.before+"data: "+allTools+"\n\n")
			})
			var body []byte
			res, err := http.DefaultTransport.RoundTrip(b.request(t, token(t, "todo:read"), list("tools")))
			if err == nil {
				body, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if strings.Contains(string(body), "purge") {
				t.Errorf("a list came through whole: %s", body)
			}
			if whole := err == nil && strings.Contains(string(body), "list_tasks"); whole != tt.passes {
				t.Errorf("the stream came to its end: %v, want %v: %s, %v", whole, tt.passes, body, err)
			}
		})
	}
}
