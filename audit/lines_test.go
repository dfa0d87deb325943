package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// full is an event with everything in it.
func full() Event {
	return Event{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC), Type: "tool.called", Decision: Denied,
		Reason: "InsufficientScope", Subject: "people|alice", Email: "alice@example.com", Organization: "example",
		Client: "agent", Grant: "g-1", GrantType: "authorization_code", Resource: "https://mcp.example.com/todo",
		Method: "tools/call", Tool: "delete_task", Prompt: "daily", URI: "todo://tasks/1",
		ArgumentNames: []string{"id", "reason"}, ScopeHeld: "todo:read", ScopeNeeded: "todo:write",
		RemoteAddr: "192.0.2.1", Status: 403, Duration: 1500 * time.Microsecond, BytesIn: 312, BytesOut: 98,
		Server: "apps/todo", Session: "5f2b9c01d4e6a7b8", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
		SpanID: "00f067aa0ba902b7", Lost: 7,
	}
}

func TestEventsAsLines(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)
	tests := []struct {
		name  string
		event Event
	}{
		{"everything", full()},
		{"nothing", Event{Time: at, Type: "token.issued"}},
		{"token-issued", Event{Time: at, Type: "token.issued", Decision: Allowed, Subject: "people|alice", Client: "agent",
			Grant: "g-1", GrantType: "refresh_token", Resource: "https://mcp.example.com/todo", ScopeHeld: "todo:read", RemoteAddr: "192.0.2.1"}},
		{"signin-failed", Event{Time: at, Type: "signin.failed", Decision: Denied, Reason: "rate_limited", Client: "agent", RemoteAddr: "2001:db8::1"}},
		{"tool-called", Event{Time: at, Type: "tool.called", Decision: Allowed, Reason: "Scope", Subject: "people|alice", Client: "agent",
			Resource: "https://mcp.example.com/todo", Method: "tools/call", Tool: "get_task", ArgumentNames: []string{"id"},
			ScopeHeld: "todo:read", ScopeNeeded: "todo:read", Status: 200, Duration: 42 * time.Microsecond, BytesIn: 120, BytesOut: 3400,
			Server: "apps/todo", Session: "5f2b9c01d4e6a7b8"}},
		{"prompt-fetched", Event{Time: at, Type: "prompt.fetched", Decision: Allowed, Reason: "Open", Method: "prompts/get", Prompt: "daily", Status: 200}},
		{"resource-read", Event{Time: at, Type: "resource.read", Decision: Denied, Reason: "NoScopeOpensIt", Method: "resources/read", URI: "todo://tasks/1", Status: 403}},
		{"request-received", Event{Time: at, Type: "request.received", Decision: Denied, Reason: "no_token", Status: 401, Duration: time.Millisecond}},
		{"audit-lost", Event{Time: at, Type: EventsLost, Lost: 12}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			NewLines(&b).Write(t.Context(), tt.event)
			golden := filepath.Join("testdata", tt.name+".json")
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What reads the log of a process has to find audit events like any other line.
func TestLinesBeginAsThoseOfSlogDo(t *testing.T) {
	e := full()
	record := slog.NewRecord(e.Time, slog.LevelInfo, e.Type, 0)
	record.AddAttrs(slog.Bool("audit", true), slog.String("decision", string(e.Decision)), slog.String("reason", e.Reason))
	var b bytes.Buffer
	if err := slog.NewJSONHandler(&b, nil).Handle(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSuffix(b.String(), "}\n")
	if got := string(appendLine(nil, &e)); !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want it to begin with %s", got, want)
	}
}

// fieldOf is a field of an event, by reflection.
type fieldOf int

func (f fieldOf) of(e *Event) reflect.Value { return reflect.ValueOf(e).Elem().Field(int(f)) }

func (f fieldOf) setText(e *Event, text string) bool {
	field := f.of(e)
	if field.Kind() == reflect.String {
		field.SetString(text)
	}
	return field.Kind() == reflect.String
}

func (f fieldOf) text(e Event) string { return f.of(&e).String() }

func eachField(t *testing.T, run func(t *testing.T, name string, f fieldOf)) {
	fields := reflect.TypeFor[Event]()
	for i := range fields.NumField() {
		run(t, fields.Field(i).Name, fieldOf(i))
	}
}

// A field that somebody adds and forgets to write would be missing for ever.
func TestEveryFieldOfAnEventIsWritten(t *testing.T) {
	everything := full()
	eachField(t, func(t *testing.T, name string, f fieldOf) {
		if f.of(&everything).IsZero() {
			t.Fatalf("%s is missing from the sample", name)
		}
		without := full()
		f.of(&without).SetZero()
		if bytes.Equal(appendLine(nil, &everything), appendLine(nil, &without)) {
			t.Errorf("%s is not written", name)
		}
	})
}

// The schema is a promise to those who read the log.
func TestEveryFieldIsDocumented(t *testing.T) {
	schema, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	e := full()
	var line map[string]any
	if err := json.Unmarshal(appendLine(nil, &e), &line); err != nil {
		t.Fatal(err)
	}
	for key := range line {
		if !bytes.Contains(schema, []byte("\n| `"+key+"` |")) {
			t.Errorf("docs/audit.md has no row for %s", key)
		}
	}
	for text := range strings.Lines(string(schema)) {
		if example := []byte(text); strings.HasPrefix(text, `{"time":`) && (!json.Valid(example) || !bytes.Contains(example, []byte(`,"audit":true`))) {
			t.Errorf("docs/audit.md has an example that is no event: %s", text)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\b\f\n\r\t\x00\x1f\x7f", "<a&b>", "añ語🙂", "\u2028\u2029\ufffd", "a\xffb\xc3", "\xed\xa0\x80"} {
		f.Add(seed, "x", int64(1500), int64(1))
	}
	f.Fuzz(func(t *testing.T, text, other string, micros, count int64) {
		e := Event{
			Time: time.Unix(0, 0).UTC(), Type: other, Client: text, Tool: other, ArgumentNames: []string{text, other},
			Duration: time.Duration(micros % 1e15), BytesIn: count,
		}
		line := appendLine(nil, &e)
		if bytes.IndexByte(line, '\n') != len(line)-1 || strings.ContainsAny(string(line), "\u2028\u2029") {
			t.Fatalf("more than a line: %q", line)
		}
		var got struct {
			Msg, Client, Tool string
			Names             []string `json:"argument_names"`
			Duration          float64  `json:"duration_ms"`
			BytesIn           int64    `json:"bytes_in"`
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		if err := decoder.Decode(&got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if got.Msg != valid(other) || got.Tool != valid(other) || got.Client != valid(text) || got.BytesIn != count {
			t.Errorf("got %+v of %q and %q", got, text, other)
		}
		if diff := cmp.Diff([]string{valid(text), valid(other)}, got.Names); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		if want := float64(e.Duration.Microseconds()) / 1000; got.Duration != want {
			t.Errorf("duration: got %v, want %v", got.Duration, want)
		}
	})
}

// valid puts U+FFFD for each byte that is not UTF-8, as encoding/json does.
func valid(s string) string { return string([]rune(s)) }

func TestTextFromStrangersStaysWithinItsLine(t *testing.T) {
	forged := "a\n{\"audit\":true,\"decision\":\"allowed\"}\u2028{"
	line := string(appendLine(nil, &Event{Type: "token.denied", Client: forged}))
	if strings.Count(line, "\n") != 1 || strings.Contains(line, "\u2028") {
		t.Fatalf("got %q", line)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil || got["client"] != forged {
		t.Errorf("got %v, %v", got, err)
	}
}

// calls remembers what each call of Write was given.
type calls struct {
	mu    sync.Mutex
	lines []string
}

func (c *calls) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, string(p))
	return len(p), nil
}

func TestEventsOfManyGoroutinesAreWholeLines(t *testing.T) {
	const goroutines, each = 8, 200
	var c calls
	lines := NewLines(&c)
	var group sync.WaitGroup
	for i := range goroutines {
		group.Go(func() {
			for j := range each {
				lines.Write(context.Background(), Event{Type: "t", Client: strings.Repeat("x", j), Grant: fmt.Sprint(i)})
			}
		})
	}
	group.Wait()
	if len(c.lines) != goroutines*each {
		t.Fatalf("got %d calls of Write, want %d", len(c.lines), goroutines*each)
	}
	for _, line := range c.lines {
		if strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
			t.Fatalf("not one line: %q", line)
		}
	}
}

// flaky takes only so many bytes of each write, as often as takes says.
type flaky struct {
	bytes.Buffer
	takes []int
}

func (f *flaky) Write(p []byte) (int, error) {
	if len(f.takes) == 0 {
		return f.Buffer.Write(p)
	}
	n := min(f.takes[0], len(p))
	f.takes = f.takes[1:]
	_, _ = f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestAWriterThatFailedIsToldWhatIsMissing(t *testing.T) {
	w := &flaky{takes: []int{0, 25, 1}} // nothing, a part of a line, the end of that line
	lines := NewLines(w)
	for _, kind := range []string{"first", "second", "third", "fourth"} {
		lines.Write(t.Context(), Event{Type: kind})
	}
	var got []string
	for line := range strings.Lines(w.String()) {
		var event struct {
			Msg  string
			Lost int
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			got = append(got, "torn")
			continue
		}
		got = append(got, fmt.Sprintf("%s %d", event.Msg, event.Lost))
	}
	if diff := cmp.Diff([]string{"torn", "third 0", "audit.lost 2", "fourth 0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, w)
	}
}

func BenchmarkLines(b *testing.B) {
	log, e := Log{Sink: NewLines(io.Discard)}, full()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			log.Write(context.Background(), e)
		}
	})
}
