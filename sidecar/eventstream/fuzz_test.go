package eventstream

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzEdited makes sure that what a client sees is what Edit said, event by event.
func FuzzEdited(f *testing.F) {
	for _, s := range streams {
		f.Add(s.in)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		n := 0
		filter := &Filter{Edit: func(string, []byte) ([]byte, error) {
			n++
			return []byte("seen"), nil
		}}
		got := events(pass(t, filter, strings.Split(stream, "")...))
		if len(got) != n || len(got) != len(events(stream)) {
			t.Fatalf("%q has %d events, %d were edited, %d came out", stream, len(events(stream)), n, len(got))
		}
		for _, data := range got {
			if data != "seen" {
				t.Fatalf("a client sees %q of %q", data, stream)
			}
		}
	})
}

// events reads the data of a stream's events by the grammar (WHATWG HTML §9.2.6), with
// the event that is not ended, as some clients do.
func events(stream string) []string {
	stream = strings.TrimPrefix(stream, "\ufeff")
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n"), "\n")
	var all []string
	var data *string
	dispatch := func() {
		if data != nil {
			all = append(all, strings.TrimSuffix(*data, "\n"))
		}
		data = nil
	}
	for _, line := range lines {
		if line == "" {
			dispatch()
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		if field == "data" {
			if data == nil {
				data = new(string)
			}
			*data += strings.TrimPrefix(value, " ") + "\n"
		}
	}
	dispatch()
	return all
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
