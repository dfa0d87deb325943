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
	{"an event that does not end", "data: a\n\ndata: change\n", "data: a\n\ndata: change\n", []string{"|a"}},
	{"a line that does not end", "data: a\n\ndata: cha", "data: a\n\ndata: cha", []string{"|a"}},
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

// FuzzFilter makes sure that a stream of which nothing is changed comes out as it went
// in, in whatever pieces, and is seen in the same way.
func FuzzFilter(f *testing.F) {
	for _, s := range streams {
		f.Add([]byte(s.in), 3)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		if size <= 0 || size > len(stream) {
			size = 1
		}
		read := func(limit int, chunks ...[]byte) (string, []string) {
			var seen []string
			filter := &Filter{Limit: limit, Edit: func(event string, data []byte) ([]byte, error) {
				seen = append(seen, event+"|"+string(data))
				return data, nil
			}}
			var out []byte
			for _, chunk := range chunks {
				var err error
				if out, err = filter.Feed(out, chunk); err != nil {
					t.Fatal(err)
				}
			}
			return string(filter.End(out)), seen
		}
		var pieces [][]byte
		for at := 0; at < len(stream); at += size {
			pieces = append(pieces, stream[at:min(at+size, len(stream))])
		}
		whole, seen := read(0, stream)
		cut, again := read(0, pieces...)
		short, _ := read(16, pieces...)
		if whole != string(stream) || cut != whole || short != whole {
			t.Fatalf("%q came out as %q, in pieces as %q, with a limit as %q", stream, whole, cut, short)
		}
		if diff := cmp.Diff(seen, again); diff != "" {
			t.Fatalf("seen (-whole +pieces):\n%s", diff)
		}
	})
}
