// Package eventstream changes the data of single events in a stream of server-sent
// events (WHATWG HTML §9.2) while everything else passes as it comes.
//
// What carries no data (comments that keep a connection alive, ids, retry times) is
// handed on line by line. From its first data line on an event is held until the
// blank line that ends it, which is when a client could do something with it at
// the earliest; so nothing arrives later than it would have.
package eventstream

import (
	"bytes"
	"errors"
	"slices"
)

// DefaultLimit is the longest event that is held, in bytes.
const DefaultLimit = 8 << 20

// ErrTooLong says that an event is longer than a strict Filter holds.
var ErrTooLong = errors.New("an event is too long to be looked at")

// Filter reads one stream. It is used by one goroutine, and its fields are set before.
type Filter struct {
	// Edit gets the data of an event and the name in its event field, which is empty where
	// it has none, and returns the data to send instead: the same slice for no change. It
	// must not keep the slice. An error ends the stream.
	Edit func(event string, data []byte) ([]byte, error)
	// Limit is the longest event that is held, in bytes; zero means DefaultLimit.
	Limit int
	// Strict fails with ErrTooLong on a longer event; else it is handed on unread.
	Strict bool

	line    []byte // the line that has begun, with its end once that is there
	event   string
	data    []byte
	holding bool
	// lines are those that are held, with their ends; those of data are empty but for
	// their place.
	lines []held
	size  int
	// skipping hands on the rest of an event that was too long; blank says whether its
	// present line has had no byte yet.
	skipping, blank bool
	// afterCR says that a line feed which comes next belongs to the line before.
	afterCR bool
	begun   bool
}

type held struct {
	text []byte
	data bool
}

// kept is the memory that is kept between events. Many streams are open at once.
const kept = 4 << 10

// Feed takes what comes next in the stream and appends to out what can be handed on.
func (f *Filter) Feed(out, chunk []byte) ([]byte, error) {
	var err error
	for len(chunk) > 0 && err == nil {
		if f.afterCR {
			f.afterCR = false
			if chunk[0] == '\n' {
				out, chunk = f.lineFeed(out), chunk[1:]
				continue
			}
		}
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			return f.part(out, chunk)
		}
		f.afterCR = chunk[end] == '\r'
		if out, err = f.part(out, chunk[:end+1]); err == nil {
			out, err = f.endLine(out)
		}
		chunk = chunk[end+1:]
	}
	return out, err
}

// End appends what is still held when the stream has ended. Clients drop an event
// that no blank line ends.
func (f *Filter) End(out []byte) []byte {
	out = append(f.appendHeld(out), f.line...)
	f.reset()
	return out
}

// part takes a piece of a line.
func (f *Filter) part(out, piece []byte) ([]byte, error) {
	if f.skipping {
		f.blank = f.blank && (piece[0] == '\r' || piece[0] == '\n')
		return append(out, piece...), nil
	}
	f.line = append(f.line, piece...)
	if f.size += len(piece); f.size <= f.limit() {
		return out, nil
	}
	if f.Strict {
		return out, ErrTooLong
	}
	blank := len(bytes.TrimRight(f.line, "\r\n")) == 0
	out = append(f.appendHeld(out), f.line...)
	f.reset()
	f.skipping, f.blank = true, blank
	return out, nil
}

// endLine decides about the line that has just ended.
func (f *Filter) endLine(out []byte) ([]byte, error) {
	if f.skipping {
		f.skipping, f.blank = !f.blank, true
		return out, nil
	}
	text := bytes.TrimRight(f.line, "\r\n")
	if !f.begun {
		f.begun, text = true, bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	field, value, _ := bytes.Cut(text, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch {
	case len(text) == 0:
		return f.endEvent(out)
	case string(field) == "data":
		f.data = append(append(f.data, value...), '\n')
		f.holding = true
		f.hold(true)
		return out, nil
	case string(field) == "event":
		f.event = string(value[:min(len(value), kept)])
	}
	if f.holding {
		f.hold(false)
		return out, nil
	}
	out = append(out, f.line...)
	f.size -= len(f.line)
	f.line = f.line[:0]
	return out, nil
}

func (f *Filter) hold(data bool) {
	f.lines = append(f.lines, held{slices.Clone(f.line), data})
	f.line = f.line[:0]
}

// lineFeed takes the second half of a line's end.
func (f *Filter) lineFeed(out []byte) []byte {
	if !f.holding || f.skipping || len(f.lines) == 0 {
		return append(out, '\n')
	}
	last := &f.lines[len(f.lines)-1]
	last.text = append(last.text, '\n')
	return out
}

// endEvent hands the event on, edited, with the blank line that ends it.
func (f *Filter) endEvent(out []byte) ([]byte, error) {
	if f.holding {
		data := f.data[:len(f.data)-1]
		edited, err := f.Edit(f.event, data)
		if err != nil {
			return out, err
		}
		if len(edited) == len(data) && (len(data) == 0 || &edited[0] == &data[0]) {
			out = f.appendHeld(out)
		} else {
			out = f.appendEdited(out, edited)
		}
	}
	out = append(out, f.line...)
	f.reset()
	return out, nil
}

func (f *Filter) appendHeld(out []byte) []byte {
	for _, l := range f.lines {
		out = append(out, l.text...)
	}
	return out
}

// appendEdited puts the new data where the first of the old stood.
func (f *Filter) appendEdited(out, edited []byte) []byte {
	written := false
	for _, l := range f.lines {
		if !l.data {
			out = append(out, l.text...)
			continue
		}
		if written {
			continue
		}
		written = true
		for line := range bytes.SplitSeq(edited, []byte("\n")) {
			out = append(append(append(out, "data: "...), line...), '\n')
		}
	}
	return out
}

// reset makes room for the next event.
func (f *Filter) reset() {
	f.event, f.holding, f.size, f.blank = "", false, 0, true
	f.line, f.data, f.lines = f.line[:0], f.data[:0], nil
	if cap(f.line) > kept {
		f.line = nil
	}
	if cap(f.data) > kept {
		f.data = nil
	}
}

func (f *Filter) limit() int {
	if f.Limit == 0 {
		return DefaultLimit
	}
	return f.Limit
}
