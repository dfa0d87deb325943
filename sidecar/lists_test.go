package sidecar

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/policy"
)

// What the MCP server has, of which todo:read opens the first two tools, no prompt and
// the first resource.
const (
	allTools     = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list_tasks","inputSchema":{"type":"object"}},{"name":"get_task"},{"name":"create_task"},{"name":"purge"},{"name":"unnamed"}],"nextCursor":"c2","_meta":{"x":[1, 2]}}}`
	readTools    = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list_tasks","inputSchema":{"type":"object"}},{"name":"get_task"}],"nextCursor":"c2","_meta":{"x":[1, 2]}}}`
	allPrompts   = `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"plan"},{"name":"report"}]}}`
	noPrompts    = `{"jsonrpc":"2.0","id":1,"result":{"prompts":[]}}`
	allResources = `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"todo://1","name":"one"},{"uri":"file:///etc/passwd","name":"todo://2"}]}}`
	ownResources = `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"todo://1","name":"one"}]}}`
)

// list asks for a list.
func list(of string) string { return `{"jsonrpc":"2.0","id":1,"method":"` + of + `/list","params":{}}` }

// filtering is a sidecar that filters lists, in front of a server that answers so.
func filtering(t *testing.T, handler http.HandlerFunc, change ...func(*policy.Policy)) *bench {
	t.Helper()
	b := protect(t, append([]func(*policy.Policy){func(p *policy.Policy) { p.FilterLists = true }}, change...)...)
	b.handler = handler
	return b
}

// answering answers in a media type, with the length known.
func answering(mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}
}

// sse is messages as an event stream has them.
func sse(messages ...string) string {
	var b strings.Builder
	for i, m := range messages {
		fmt.Fprintf(&b, "event: message\nid: %d\ndata: %s\n\n", i, m)
	}
	return b.String()
}

const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"tools":[{"name":"purge"}]}}`

func TestAListNamesOnlyWhatTheCallerMayUse(t *testing.T) {
	for _, tt := range []struct{ name, of, scopes, answer, want string }{
		{"tools of a reader", "tools", "todo:read", allTools, readTools},
		{"tools of somebody with all scopes but what none opens", "tools", "todo:read todo:write todo:admin", allTools,
			strings.Replace(allTools, `,{"name":"unnamed"}`, "", 1)},
		{"tools of nobody", "tools", "", allTools, `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"c2","_meta":{"x":[1, 2]}}}`},
		{"prompts of a reader", "prompts", "todo:read", allPrompts, noPrompts},
		{"prompts of an admin", "prompts", "todo:admin", allPrompts, allPrompts},
		{"resources go by their URI", "resources", "todo:read", allResources, ownResources},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for form, answer := range map[string][2]string{
				"JSON":              {tt.answer, tt.want},
				"a single event":    {sse(tt.answer), sse(tt.want)},
				"among other event": {": hello\n\n" + sse(progress, tt.answer, progress), ": hello\n\n" + sse(progress, tt.want, progress)},
			} {
				mediaType := "application/json"
				if form != "JSON" {
					mediaType = "text/event-stream"
				}
				b := filtering(t, answering(mediaType, answer[0]))
				got := b.post(t, token(t, tt.scopes), list(tt.of))
				wantStatus(t, got, 200)
				if diff := cmp.Diff(answer[1], got.body); diff != "" {
					t.Errorf("%s (-want +got):\n%s", form, diff)
				}
				if length := got.Header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(got.body)) {
					t.Errorf("%s: Content-Length %s for %d bytes", form, length, len(got.body))
				}
				if r, _ := b.last(t); r.Header.Get("Accept-Encoding") != "" {
					t.Errorf("%s: the server may compress: %s", form, r.Header.Get("Accept-Encoding"))
				}
			}
		})
	}
}

// What is listed can be called, and what is not is refused when it is called all the
// same: the list is a courtesy and never the authorisation.
func TestWhatIsListedIsWhatCanBeCalled(t *testing.T) {
	b := filtering(t, answering("application/json", allTools))
	for _, scopes := range []string{"", "todo:read", "todo:write", "todo:admin", "todo:read todo:admin"} {
		bearer := token(t, scopes)
		var got struct {
			Result struct{ Tools []struct{ Name string } }
		}
		if err := json.Unmarshal([]byte(b.post(t, bearer, list("tools")).body), &got); err != nil {
			t.Fatal(err)
		}
		listed := make(map[string]bool)
		for _, tool := range got.Result.Tools {
			listed[tool.Name] = true
		}
		for _, tool := range []string{"list_tasks", "get_task", "create_task", "purge", "unnamed"} {
			want := http.StatusForbidden
			if listed[tool] {
				want = http.StatusOK
			}
			if called := b.post(t, bearer, call(tool)); called.StatusCode != want {
				t.Errorf("%q: %s is listed: %v; calling it is %d", scopes, tool, listed[tool], called.StatusCode)
			}
		}
	}
}

func TestIncludedScopesCountInLists(t *testing.T) {
	b := filtering(t, answering("application/json", allTools), func(p *policy.Policy) { p.Scopes[1].Includes = []string{"todo:read"} })
	got := b.post(t, token(t, "todo:write"), list("tools"))
	want := strings.Replace(allTools, `,{"name":"purge"},{"name":"unnamed"}`, "", 1)
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestListsPassWholeWhereThereIsNothingToFilter(t *testing.T) {
	for name, change := range map[string]func(*policy.Policy){
		"the policy does not filter": func(p *policy.Policy) { p.FilterLists = false },
		"no scope names anything": func(p *policy.Policy) {
			p.Scopes = []policy.Scope{{Name: "todo:read", Default: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := filtering(t, answering("application/json", allTools), change)
			got := b.post(t, token(t, "todo:read"), list("tools"), header("Accept-Encoding", "br"), header(headerRevision, "2026-07-28"))
			if diff := cmp.Diff(allTools, got.body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r, _ := b.last(t); r.Header.Get("Accept-Encoding") != "br" {
				t.Errorf("Accept-Encoding: %q", r.Header.Get("Accept-Encoding"))
			}
		})
	}
}

func TestUnmatchedOperationsThatAreAllowedAreListed(t *testing.T) {
	b := filtering(t, answering("application/json", allTools), func(p *policy.Policy) { p.UnmatchedOperations = policy.Allow })
	got := b.post(t, token(t, "todo:read"), list("tools"))
	if want := strings.Replace(allTools, `{"name":"create_task"},{"name":"purge"},`, "", 1); got.body != want {
		t.Errorf("got %s", got.body)
	}
}

func TestOtherAnswersPassByteForByte(t *testing.T) {
	toolsInAResult := `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"purge"}],"cacheScope":"public"}}`
	failed := `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no","data":{"tools":[{"name":"purge"}]}}}`
	for _, tt := range []struct{ name, request, answer string }{
		{"a tool's result that holds tools", call("get_task"), toolsInAResult},
		{"a list of tools that answers a request for prompts", list("prompts"), strings.ReplaceAll(toolsInAResult, `,"cacheScope":"public"`, "")},
		{"an error", list("tools"), failed},
		{"templates", `{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}`, `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"x://{y}"}]}}`},
		{"white space and unknown members", list("tools"), "{ \"jsonrpc\":\"2.0\",\t\"id\":1, \"result\": {\"x\": 1e3, \"tools\": [ {\"name\":\"get_task\", \"y\":\"\\u00e9\"} ]}}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for mediaType, answer := range map[string]string{"application/json": tt.answer, "text/event-stream": sse(strings.TrimSpace(tt.answer))} {
				b := filtering(t, answering(mediaType, answer))
				if got := b.post(t, token(t, "todo:read"), tt.request); got.body != answer {
					t.Errorf("%s: %s", mediaType, got.body)
				}
			}
		})
	}
}

func TestAnErrorOfTheServersKeepsItsStatus(t *testing.T) {
	for _, status := range []int{400, 404, 405, 500} {
		for name, answer := range map[string][2]string{
			"text":    {"text/plain", "session not found"},
			"JSON":    {"application/json", `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`},
			"nothing": {"", ""},
		} {
			b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
				if answer[0] != "" {
					w.Header().Set("Content-Type", answer[0])
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, answer[1])
			})
			for _, got := range []*reply{b.post(t, token(t, "todo:read"), list("tools")), b.do(t, http.MethodGet, testPath, token(t, ""))} {
				if got.StatusCode != status || got.body != answer[1] {
					t.Errorf("%d with %s: got %d %s", status, name, got.StatusCode, got.body)
				}
			}
		}
	}
}

func TestAFilteredListIsItsCallersOwn(t *testing.T) {
	const plain = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_task"}]}}`
	const marked = `{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","tools":[{"name":"get_task"}]}}`
	public := strings.Replace(plain, `"result":{`, `"result":{"cacheScope":"public","ttlMs":5,`, 1)
	for _, tt := range []struct{ name, revision, answer, want string }{
		{"the revision that knows of it", "2026-07-28", plain, marked},
		{"a later one", "2027-01-01", plain, marked},
		{"an earlier one", "2025-11-25", plain, plain},
		{"no revision", "", plain, plain},
		{"made private where it says public", "2026-07-28", public, strings.Replace(public, "public", "private", 1)},
		{"made so whatever the revision", "", public, strings.Replace(public, "public", "private", 1)},
		{"made so in another type", "", strings.Replace(public, `"public"`, `[ "public" ]`, 1), strings.Replace(public, `"public"`, `"private"`, 1)},
		{"an empty result stays so", "2026-07-28", `{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":1,"result":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := filtering(t, answering("application/json", tt.answer))
			got := b.post(t, token(t, "todo:read"), list("tools"), func(r *http.Request) {
				if tt.revision != "" {
					r.Header.Set(headerRevision, tt.revision)
				}
			})
			if diff := cmp.Diff(tt.want, got.body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListsInABatchAreFilteredEach(t *testing.T) {
	numbered := func(message, id string) string { return strings.Replace(message, `"id":1`, `"id":`+id, 1) }
	called := `{"jsonrpc":"2.0","id":"3","result":{"tools":[{"name":"purge"}]}}`
	request := "[" + list("tools") + "," + numbered(list("prompts"), `"2"`) + "," + numbered(call("get_task"), `"3"`) + "]"
	// The server may answer in another order, and in one array or one by one.
	answers := []string{called, numbered(allPrompts, `"2"`), allTools}
	wanted := []string{called, numbered(noPrompts, `"2"`), readTools}
	for _, tt := range []struct{ name, mediaType, answer, want string }{
		{"an array", "application/json", "[" + strings.Join(answers, ",") + "]", "[" + strings.Join(wanted, ",") + "]"},
		{"events", "text/event-stream", sse(answers...), sse(wanted...)},
		{"an array in an event", "text/event-stream", sse("[" + strings.Join(answers, ",") + "]"), sse("[" + strings.Join(wanted, ",") + "]")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := filtering(t, answering(tt.mediaType, tt.answer))
			if diff := cmp.Diff(tt.want, b.post(t, token(t, "todo:read"), request).body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A stream that broke off before the list came is resumed by GET, and what comes there is
// filtered as well.
func TestListsOnStreamsAreFiltered(t *testing.T) {
	stream := sse(progress, allTools, allPrompts, allResources)
	want := sse(progress, readTools, noPrompts, ownResources)
	t.Run("resumed", func(t *testing.T) {
		b := filtering(t, answering("text/event-stream", stream))
		got := b.do(t, http.MethodGet, testPath, token(t, "todo:read"), header("Last-Event-Id", "7"), header("Accept-Encoding", "gzip"))
		if diff := cmp.Diff(want, got.body); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r, _ := b.last(t); r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Last-Event-Id") != "7" {
			t.Errorf("the server was asked with %v", r.Header)
		}
	})
	t.Run("of HTTP with SSE", func(t *testing.T) {
		endpoint := "event: endpoint\ndata: /messages?sessionId=1\n\n"
		b := filtering(t, answering("text/event-stream", endpoint+stream), func(p *policy.Policy) { p.Upstream.MessagePath = "/messages" })
		got := b.do(t, http.MethodGet, testPath, token(t, "todo:read"))
		if diff := cmp.Diff(endpoint+want, got.body); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAFilteredStreamIsNotHeldBack(t *testing.T) {
	went := make(chan struct{})
	b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, progress)
		select {
		case <-went:
		case <-t.Context().Done():
		}
		event(w, allTools)
	})
	res := open(t, b.request(t, token(t, "todo:read"), list("tools")))
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: "+progress+"\n" {
		t.Fatalf("%q, %v", line, err)
	}
	close(went)
	rest, err := io.ReadAll(lines)
	if want := "\ndata: " + readTools + "\n\n"; err != nil || string(rest) != want {
		t.Errorf("the rest: %s, %v", rest, err)
	}
}

func TestAListThatCannotBeLookedAtDoesNotPass(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, allTools)
	_ = z.Close()
	long := strings.Replace(allTools, `"c2"`, `"`+strings.Repeat("c", maxList)+`"`, 1)
	compressed := func(coding, mediaType string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", coding)
			answering(mediaType, zipped.String())(w, r)
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"compressed":              compressed("gzip", "application/json"),
		"compressed stream":       compressed("gzip", "text/event-stream"),
		"compressed as br":        compressed("br", "application/json"),
		"longer than the bound":   answering("application/json", long),
		"not JSON":                answering("application/json", allTools+"}"),
		"UTF-16":                  answering("application/json; charset=utf-16", "{\x00}\x00"),
		"a chunk that ends early": func(w http.ResponseWriter, r *http.Request) { answering("application/json", allTools[:40])(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			b := filtering(t, handler)
			got := b.post(t, token(t, "todo:read"), list("tools"))
			wantStatus(t, got, http.StatusBadGateway)
			if !strings.HasPrefix(got.body, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the MCP server`) {
				t.Errorf("body: %.200s", got.body)
			}
			if got.Header.Get("Content-Encoding") != "" || strings.Contains(got.body, "purge") {
				t.Errorf("header: %v", got.Header)
			}
			stop(t, b)
			if !strings.Contains(b.audits.String(), "upstream_failed") {
				t.Errorf("audit: %s", b.audits)
			}
		})
	}
}

func TestAnEventThatIsLongerThanTheBoundEndsAListsStream(t *testing.T) {
	long := strings.Replace(allTools, `"c2"`, `"`+strings.Repeat("c", maxList)+`"`, 1)
	b := filtering(t, answering("text/event-stream", sse(progress, long)))
	res := open(t, b.request(t, token(t, "todo:read"), list("tools")))
	body, err := io.ReadAll(res.Body)
	if err == nil || strings.Contains(string(body), "get_task") {
		t.Errorf("%d bytes came, %v; want an answer that broke off before the list", len(body), err)
	}
}

// Answers that nobody looks at may be compressed as client and server agree.
func TestOtherAnswersMayBeCompressed(t *testing.T) {
	b := filtering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		answering("application/json", "opaque")(w, nil)
	})
	for _, body := range []string{call("get_task"), initialize, "[" + call("get_task") + "]"} {
		got := b.post(t, token(t, "todo:read"), body, header("Accept-Encoding", "br, gzip"))
		if got.StatusCode != http.StatusOK || got.body != "opaque" || got.Header.Get("Content-Encoding") != "br" {
			t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
		}
		if r, _ := b.last(t); r.Header.Get("Accept-Encoding") != "br, gzip" {
			t.Errorf("the server was asked with %q", r.Header.Get("Accept-Encoding"))
		}
	}
}
