package authservertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/mcpauth/mcpauth/audit"
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

// Write implements audit.Sink. The fields are those that a line would have.
func (e *Events) Write(_ context.Context, written audit.Event) {
	fields := make(map[string]any)
	if err := json.Unmarshal(audit.NewLines(io.Discard).Append(nil, written), &fields); err != nil {
		panic(err) // which is a mistake of package audit's
	}
	event := Event{Type: written.Type, Fields: make(map[string]string)}
	for name, value := range fields {
		event.Fields[name] = fmt.Sprint(value)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}
