package audit

import (
	"context"
	"time"
	"unicode/utf8"
)

// MaxText is how many bytes of a text an event keeps, MaxNames how many names of
// arguments. Texts come from strangers too, and nobody shall crowd out other
// people's events with long ones. What was cut ends in "…".
const (
	MaxText  = 2048
	MaxNames = 64
)

const ellipsis = "…"

// Sink is where events go. It is safe for concurrent use.
type Sink interface {
	// Write takes the event. It never fails, as nobody could act on it: sinks count
	// what they lose. The event's ArgumentNames stay the caller's.
	Write(ctx context.Context, e Event)
}

// Log is what servers write events to. The zero value discards them.
type Log struct {
	Sink Sink
}

// Write records the event. It blocks as long as its sink does: Lines until it is
// written, a Queue never.
func (l Log) Write(ctx context.Context, e Event) {
	if l.Sink == nil {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.bound()
	l.Sink.Write(ctx, e)
}

// Tee writes every event to each of the sinks.
type Tee []Sink

// Write implements Sink.
func (t Tee) Write(ctx context.Context, e Event) {
	for _, sink := range t {
		sink.Write(ctx, e)
	}
}

func (e *Event) bound() {
	for _, text := range [...]*string{
		&e.Type, (*string)(&e.Decision), &e.Reason, &e.Subject, &e.Email, &e.Organization, &e.Client, &e.Grant, &e.GrantType,
		&e.Resource, &e.Method, &e.Tool, &e.Prompt, &e.URI, &e.ScopeHeld, &e.ScopeNeeded, &e.RemoteAddr,
		&e.Server, &e.Session, &e.TraceID, &e.SpanID,
	} {
		*text = cut(*text, MaxText)
	}
	e.ArgumentNames = cutNames(e.ArgumentNames)
}

// cutNames keeps, of all names together, as much as of one text.
func cutNames(names []string) []string {
	size := 0
	for _, name := range names {
		size += len(name)
	}
	if len(names) <= MaxNames && size <= MaxText {
		return names
	}
	var kept []string
	left := MaxText
	for _, name := range names {
		if len(kept) == MaxNames || len(name) > left {
			return append(kept, ellipsis)
		}
		kept, left = append(kept, name), left-len(name)
	}
	return kept
}

// cut shortens a text to at most limit bytes and an ellipsis, between characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
