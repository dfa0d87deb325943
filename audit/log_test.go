package audit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// kept is a Sink that keeps the events.
type kept []Event

func (k *kept) Write(_ context.Context, e Event) { *k = append(*k, e) }

func TestTheZeroLogDiscards(t *testing.T) {
	Log{}.Write(t.Context(), Event{Type: "token.issued"}) // would panic on a nil sink
}

func TestALogGivesEachEventItsTime(t *testing.T) {
	var sink kept
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	before := time.Now()
	Log{Sink: &sink}.Write(t.Context(), Event{Type: "known", Time: at})
	Log{Sink: &sink}.Write(t.Context(), Event{Type: "now"})
	if !sink[0].Time.Equal(at) {
		t.Errorf("the event's own time became %s", sink[0].Time)
	}
	if sink[1].Time.Before(before) || sink[1].Time.After(time.Now()) {
		t.Errorf("an event without a time got %s", sink[1].Time)
	}
}

func TestATeeWritesToEverySink(t *testing.T) {
	var first, second kept
	Log{Sink: Tee{&first, &second}}.Write(t.Context(), Event{Type: "token.issued"})
	if len(first) != 1 || len(second) != 1 || first[0].Type != "token.issued" || second[0].Type != "token.issued" {
		t.Errorf("got %v and %v", first, second)
	}
}

// Every text is bounded: one that is not would be a way to push other events out
// of a bounded queue.
func TestLongTextsAreCut(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	want := strings.Repeat("x", MaxText) + "…"
	eachField(t, func(t *testing.T, name string, field fieldOf) {
		e := Event{}
		if !field.setText(&e, long) {
			return
		}
		var sink kept
		Log{Sink: &sink}.Write(t.Context(), e)
		if got := field.text(sink[0]); got != want {
			t.Errorf("%s has %d bytes", name, len(got))
		}
	})
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"exactly the limit", "12345678", "12345678"},
		{"ASCII", "123456789", "12345678…"},
		{"a character of four bytes over the limit", "12345🙂9", "12345…"},
		{"a character that ends at the limit", "1234🙂9", "1234🙂…"},
		{"no UTF-8 at all", strings.Repeat("\x80", 9), strings.Repeat("\x80", 4) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, cut(tt.text, 8)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyArgumentNamesAreCut(t *testing.T) {
	many := slices.Repeat([]string{"name"}, MaxNames+1)
	tests := []struct {
		name  string
		names []string
		want  []string
	}{
		{"few", []string{"a", "b"}, []string{"a", "b"}},
		{"as many as there may be", many[:MaxNames], many[:MaxNames]},
		{"one more", many, append(slices.Clone(many[:MaxNames]), "…")},
		{"a long one", []string{"a", strings.Repeat("x", MaxText), "b"}, []string{"a", "…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := slices.Clone(tt.names)
			var sink kept
			Log{Sink: &sink}.Write(t.Context(), Event{ArgumentNames: tt.names})
			if diff := cmp.Diff(tt.want, sink[0].ArgumentNames); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(given, tt.names); diff != "" {
				t.Errorf("the caller's slice changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsCutStaysUTF8(t *testing.T) {
	for limit := range 12 {
		if got := cut("añ語🙂añ語🙂", limit); !utf8.ValidString(got) {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}
