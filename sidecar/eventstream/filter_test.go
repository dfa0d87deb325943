package eventstream

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// upper changes what says so, and remembers what it was shown.
func upper(seen *[]string) func(string, []byte) ([]byte, error) {
	return func(event string, data []byte) ([]byte, error) {
		*seen = append(*seen, event+"|"+string(data))
		if bytes.HasPrefix(data, []byte("change")) {
			return bytes.ToUpper(data), nil
		}
		return data, nil
	}
}

func pass(t *testing.T, f *Filter, chunks ...string) string {
	t.Helper()
	var out []byte
	for _, chunk := range chunks {
		var err error
		if out, err = f.Feed(out, []byte(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	return string(f.End(out))
}

var streams = []struct {
	name, in, want string
	seen           []string
}{
	{"an event that is not changed", "event: message\nid: 1\ndata: a\n\n", "event: message\nid: 1\ndata: a\n\n", []string{"message|a"}},
	{"an event that is", "id: 1\ndata: change\nretry: 5\n\n", "id: 1\ndata: CHANGE\nretry: 5\n\n", []string{"|change"}},
	{"data on several lines", "data: change\ndata: more\n\n", "data: CHANGE\ndata: MORE\n\n", []string{"|change\nmore"}},
	{"CRLF", "data: a\r\ndata: b\r\n\r\ndata: change\r\n\r\n", "data: a\r\ndata: b\r\n\r\ndata: CHANGE\n\r\n", []string{"|a\nb", "|change"}},
	{"CR", "data: a\r\rdata: change\r\r", "data: a\r\rdata: CHANGE\n\r", []string{"|a", "|change"}},
	{"comments", ": ping\n\n:\ndata: a\n: within\n\n", ": ping\n\n:\ndata: a\n: within\n\n", []string{"|a"}},
	{"no space and two", "data:a\ndata:  b\n\n", "data:a\ndata:  b\n\n", []string{"|a\n b"}},
	{"a field without a colon", "data\n\n", "data\n\n", []string{"|"}},
	{"a mark of the byte order", "\ufeffdata: change\n\n", "data: CHANGE\n\n", []string{"|change"}},
	{"unknown fields", "database: x\ndata: a\nX: y\n\n", "database: x\ndata: a\nX: y\n\n", []string{"|a"}},
	{"an event that does not end", "data: a\n\ndata: change\n", "data: a\n\ndata: CHANGE\n", []string{"|a", "|change"}},
	{"a line that does not end", "data: a\n\ndata: change", "data: a\n\ndata: CHANGE\n", []string{"|a", "|change"}},
	{"a line without data that does not end", "data: a\n\nevent: x", "data: a\n\nevent: x", []string{"|a"}},
	{"lines between the data", "data: change\rid: 1\rdata: b\n\nid: 2\n\n", "data: CHANGE\ndata: B\nid: 1\n\nid: 2\n\n", []string{"|change\nb"}},
	{"lines after the data, CRLF", "data: change\r\nevent: x\r\n\r\n", "data: CHANGE\nevent: x\n\r\n", []string{"x|change"}},
	{"a mark of the byte order in its second line", "id: 1\n\ufeffdata: change\n\n", "id: 1\n\ufeffdata: change\n\n", nil},
	{"two marks of the byte order", "\ufeff\ufeffdata: change\n\n", "\ufeff\ufeffdata: change\n\n", nil},
	{"nothing but a mark of the byte order", "\ufeff\n\ufeffdata: change\n\n", "\ufeff\n\ufeffdata: change\n\n", nil},
	{"names of fields in capitals or with spaces", "Data: change\n data: change\ndata : change\n\n", "Data: change\n data: change\ndata : change\n\n", nil},
	{"two names of an event", "event: x\nevent: y\ndata: a\n\n", "event: x\nevent: y\ndata: a\n\n", []string{"y|a"}},
	{"a name that comes behind the data", "data: a\nevent: y\n\n", "data: a\nevent: y\n\n", []string{"y|a"}},
	{"a colon within the data", "data: change: x\n\n", "data: CHANGE: X\n\n", []string{"|change: x"}},
	{"empty data", "data:\ndata: \n\n", "data:\ndata: \n\n", []string{"|\n"}},
	{"LF then CR", "data: change\n\rdata: a\n\n", "data: CHANGE\n\rdata: a\n\n", []string{"|change", "|a"}},
	{"the name of an event is forgotten", "event: x\n\ndata: a\n\n", "event: x\n\ndata: a\n\n", []string{"|a"}},
}

func TestOnlyTheDataOfChangedEventsIsTouched(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			var seen []string
			if diff := cmp.Diff(tt.want, pass(t, &Filter{Edit: upper(&seen)}, tt.in)); diff != "" {
				t.Errorf("whole (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.seen, seen); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, pass(t, &Filter{Edit: upper(&seen)}, strings.Split(tt.in, "")...)); diff != "" {
				t.Errorf("byte by byte (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCarriesNoDataIsHandedOnAtOnce(t *testing.T) {
	f := &Filter{Edit: upper(new([]string))}
	for _, line := range []string{": ping\n", "id: 1\n", "event: x\n", "\n"} {
		out, err := f.Feed(nil, []byte(line))
		if err != nil || string(out) != line {
			t.Errorf("of %q came %q, %v", line, out, err)
		}
	}
	out, err := f.Feed(nil, []byte("data: a\n"))
	if err != nil || len(out) > 0 {
		t.Errorf("an event was handed on before it ended: %q, %v", out, err)
	}
}

func TestAnEventThatIsTooLongPassesUnread(t *testing.T) {
	long := "data: change" + strings.Repeat("x", 100) + "\ndata: y\n\n"
	in := "data: change\n\n" + long + "data: change\n\n"
	for name, chunks := range map[string][]string{"whole": {in}, "byte by byte": strings.Split(in, "")} {
		var seen []string
		got := pass(t, &Filter{Edit: upper(&seen), Limit: 50}, chunks...)
		if want := "data: CHANGE\n\n" + long + "data: CHANGE\n\n"; got != want {
			t.Errorf("%s: (-want +got):\n%s", name, cmp.Diff(want, got))
		}
		if len(seen) != 2 {
			t.Errorf("%s: looked at %q", name, seen)
		}
	}
}

func TestAStrictFilterRefusesAnEventThatIsTooLong(t *testing.T) {
	f := &Filter{Edit: upper(new([]string)), Limit: 50, Strict: true}
	if out, err := f.Feed(nil, []byte("data: "+strings.Repeat("x", 100))); !errors.Is(err, ErrTooLong) || len(out) > 0 {
		t.Errorf("Feed = %q, %v", out, err)
	}
}

func TestAnErrorOfEditEndsTheStream(t *testing.T) {
	f := &Filter{Edit: func(string, []byte) ([]byte, error) { return nil, iotest.ErrTimeout }}
	if out, err := f.Feed(nil, []byte("data: x\n\n")); !errors.Is(err, iotest.ErrTimeout) || len(out) > 0 {
		t.Errorf("Feed = %q, %v", out, err)
	}
}

func TestWhatEditRefusesIsDroppedAtTheEnd(t *testing.T) {
	f := &Filter{Edit: func(string, []byte) ([]byte, error) { return nil, iotest.ErrTimeout }}
	if got := pass(t, f, "id: 1\ndata: x"); got != "id: 1\n" {
		t.Errorf("there came %q", got)
	}
}

func TestAMarkOfTheByteOrderBehindATooLongLineIsNone(t *testing.T) {
	var seen []string
	in := ": " + strings.Repeat("x", 60) + "\n\n\ufeffdata: change\n\n"
	if got := pass(t, &Filter{Edit: upper(&seen), Limit: 50}, in); got != in || len(seen) > 0 {
		t.Errorf("there came %q, and %q was looked at", got, seen)
	}
}

func TestDataThatIsTooLongInManyShortLinesIsRefused(t *testing.T) {
	f := &Filter{Edit: upper(new([]string)), Limit: 1 << 10, Strict: true}
	if out, err := f.Feed(nil, bytes.Repeat([]byte("data\n"), 300)); !errors.Is(err, ErrTooLong) || len(out) > 0 {
		t.Errorf("Feed = %q, %v", out, err)
	}
}

// TestMemoryIsBoundedByTheEvent makes sure that many short lines are not much dearer than
// a long one.
func TestMemoryIsBoundedByTheEvent(t *testing.T) {
	f := &Filter{Edit: upper(new([]string))}
	event := append(bytes.Repeat([]byte("data\n"), 1<<16), '\n')
	if got := testing.AllocsPerRun(3, func() {
		if _, err := f.Feed(make([]byte, 0, len(event)), event); err != nil {
			t.Fatal(err)
		}
	}); got > 200 {
		t.Errorf("%v allocations for %d lines", got, 1<<16)
	}
}

func TestASmallEventCostsNoMemory(t *testing.T) {
	f := &Filter{Edit: func(_ string, data []byte) ([]byte, error) { return data, nil }}
	event := []byte("event: message\nid: 1\ndata: {\"jsonrpc\":\"2.0\"}\n\n")
	out := make([]byte, 0, 1<<10)
	if got := testing.AllocsPerRun(100, func() {
		if _, err := f.Feed(out, event); err != nil {
			t.Fatal(err)
		}
	}); got > 0 {
		t.Errorf("%v allocations for an event", got)
	}
}

func BenchmarkFeed(b *testing.B) {
	for name, stream := range map[string]string{
		"small events": strings.Repeat("event: message\nid: 1\ndata: {\"jsonrpc\":\"2.0\"}\n\n", 100),
		"a long event": "data: " + strings.Repeat("x", 4000) + "\n\n",
		"CRLF":         strings.Repeat("data: {\"jsonrpc\":\"2.0\"}\r\n\r\n", 100),
		"only CR":      strings.Repeat("\r", 8<<10),
	} {
		b.Run(name, func(b *testing.B) {
			f := &Filter{Edit: func(_ string, data []byte) ([]byte, error) { return data, nil }}
			in, out := []byte(stream), make([]byte, 0, 2*len(stream))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.Feed(out, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestNobodySeesMoreThanTheFilterDid reads what comes out as a client does.
func TestNobodySeesMoreThanTheFilterDid(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			edited := func(string, []byte) ([]byte, error) { return []byte("seen"), nil }
			got := pass(t, &Filter{Edit: edited}, tt.in)
			for _, data := range events(got) {
				if data != "seen" {
					t.Errorf("a client sees %q in %q", data, got)
				}
			}
			if len(events(got)) != len(events(tt.in)) {
				t.Errorf("%q became other events: %q", tt.in, got)
			}
		})
	}
}
