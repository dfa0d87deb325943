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
)

// DefaultLimit is the longest event that is held, in bytes.
const DefaultLimit = 8 << 20

// ErrTooLong says that an event is longer than a strict Filter holds.
var ErrTooLong = errors.New("an event is too long to be looked at")

// Filter reads one stream. It is used by one goroutine, and its fields are set before.
type Filter struct {
	// Edit gets the data of an event and the name in its event field, which is empty where
	// it has none, and returns the data to send instead: the same slice for no change. What
	// it returns holds no carriage return, and it must not keep the slice. An error ends the
	// stream.
	Edit func(event string, data []byte) ([]byte, error)
	// Limit is the longest event that is held, in bytes; zero means DefaultLimit.
	Limit int
	// Strict fails with ErrTooLong on a longer event; else it is handed on unread.
	Strict bool

	// raw is what is held: the lines of an event, the first of them with data, and from
	// start on the line that has begun.
	raw   []byte
	start int
	// data is the data of those lines, each with a line feed behind it.
	data    []byte
	holding bool
	event   string
	// named is the last name of an event; most have the same.
	named string
	// skipping hands on the rest of an event that was too long; blank says whether its
	// present line has had no byte yet.
	skipping, blank bool
	// afterCR says that a line feed which comes next belongs to the line before.
	afterCR bool
	begun   bool
}

// kept is the memory that is kept between events. Many streams are open at once.
const kept = 1 << 10

// Feed takes what comes next in the stream and appends to out what can be handed on.
func (f *Filter) Feed(out, chunk []byte) ([]byte, error) {
	var err error
	lf, cr := -1, -1 // where the next of each is, found once
	for at := 0; at < len(chunk); {
		if f.afterCR {
			f.afterCR = false
			if chunk[at] == '\n' {
				out = f.lineFeed(out)
				at++
				continue
			}
		}
		if lf < at {
			lf = next(chunk, at, '\n')
		}
		if cr < at {
			cr = next(chunk, at, '\r')
		}
		end := min(lf, cr)
		if end == len(chunk) {
			return f.part(out, chunk[at:])
		}
		f.afterCR = end == cr
		if out, err = f.part(out, chunk[at:end+1]); err != nil {
			return out, err
		}
		if out, err = f.endLine(out); err != nil {
			return out, err
		}
		at = end + 1
	}
	return out, nil
}

// next is the index of the first b from at on, or the length of the chunk.
func next(chunk []byte, at int, b byte) int {
	if i := bytes.IndexByte(chunk[at:], b); i >= 0 {
		return at + i
	}
	return len(chunk)
}

// End appends what is still held when the stream has ended. An event that no blank line
// ends should be dropped by clients, but not all do: it is edited as others are, and
// dropped if Edit fails.
func (f *Filter) End(out []byte) []byte {
	defer f.reset()
	if line := f.raw[f.start:]; len(line) > 0 {
		f.note(f.text(line))
		f.start = len(f.raw)
	}
	out, _ = f.appendEvent(out) // which appends nothing where it fails
	return out
}

// part takes a piece of a line.
func (f *Filter) part(out, piece []byte) ([]byte, error) {
	if f.skipping {
		f.blank = f.blank && (piece[0] == '\r' || piece[0] == '\n')
		return append(out, piece...), nil
	}
	f.raw = append(f.raw, piece...)
	if len(f.raw) <= f.limit() {
		return out, nil
	}
	if f.Strict {
		return out, ErrTooLong
	}
	blank := len(bytes.TrimRight(f.raw[f.start:], "\r\n")) == 0
	out = append(out, f.raw...)
	f.reset()
	f.skipping, f.blank, f.begun = true, blank, true
	return out, nil
}

// endLine decides about the line that has just ended.
func (f *Filter) endLine(out []byte) ([]byte, error) {
	if f.skipping {
		f.skipping, f.blank = !f.blank, true
		return out, nil
	}
	text := f.text(f.raw[f.start : len(f.raw)-1])
	if len(text) == 0 {
		return f.endEvent(out)
	}
	f.note(text)
	if f.holding {
		f.start = len(f.raw)
		return out, nil
	}
	out = append(out, f.raw...)
	f.raw = f.raw[:0]
	return out, nil
}

// text is what a line says: all but the mark of the byte order that may begin the stream.
func (f *Filter) text(line []byte) []byte {
	if f.begun {
		return line
	}
	f.begun = true
	return bytes.TrimPrefix(line, []byte("\ufeff"))
}

// note takes the field of a line.
func (f *Filter) note(text []byte) {
	field, value, _ := bytes.Cut(text, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "data":
		f.data = append(append(f.data, value...), '\n')
		f.holding = true
	case "event":
		if value = value[:min(len(value), kept)]; string(value) != f.named {
			f.named = string(value)
		}
		f.event = f.named
	}
}

// lineFeed takes the second half of a line's end.
func (f *Filter) lineFeed(out []byte) []byte {
	if !f.holding {
		return append(out, '\n')
	}
	f.raw = append(f.raw, '\n')
	f.start = len(f.raw)
	return out
}

// endEvent hands the event on, edited, with the blank line that ends it.
func (f *Filter) endEvent(out []byte) ([]byte, error) {
	out, err := f.appendEvent(out)
	if err != nil {
		return out, err
	}
	out = append(out, f.raw[f.start:]...)
	f.reset()
	return out, nil
}

// reset makes room for the next event.
func (f *Filter) reset() {
	f.event, f.holding, f.blank = "", false, true
	f.raw, f.start, f.data = f.raw[:0], 0, f.data[:0]
	if cap(f.raw) > kept {
		f.raw = nil
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
