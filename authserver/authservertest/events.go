package authservertest

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Event is an audit event: its type and its fields as text.
type Event struct {
	Type   string
	Fields map[string]string
}

// Events records audit events. It is safe for concurrent use.
type Events struct {
	mu   sync.Mutex
	list []Event
}

// All returns the events so far.
func (e *Events) All() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// Of returns the events of a type.
func (e *Events) Of(kind string) []Event {
	return slices.DeleteFunc(e.All(), func(event Event) bool { return event.Type != kind })
}

// Enabled implements slog.Handler.
func (e *Events) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e *Events) Handle(_ context.Context, r slog.Record) error {
	event := Event{Type: r.Message, Fields: make(map[string]string)}
	r.Attrs(func(a slog.Attr) bool {
		event.Fields[a.Key] = a.Value.String()
		return true
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
	return nil
}

// WithAttrs implements slog.Handler.
func (e *Events) WithAttrs([]slog.Attr) slog.Handler { return e }

// WithGroup implements slog.Handler.
func (e *Events) WithGroup(string) slog.Handler { return e }
