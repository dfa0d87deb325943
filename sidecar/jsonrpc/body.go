package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Bounds on what one body may hold.
const (
	// DefaultDepth is how deep arrays and objects may nest where Limits says nothing.
	DefaultDepth = 100
	// MaxBatch is how many messages a batch may hold.
	MaxBatch = 256
)

// Limits bound one body.
type Limits struct {
	// Bytes is its length.
	Bytes int64
	// Depth is how deep arrays and objects may nest; zero means DefaultDepth.
	Depth int
}

// Body is a whole request body.
type Body struct {
	// Raw is the text as it came.
	Raw []byte
	// Messages are what it says, in order; at least one.
	Messages []Message
	// Batch is whether Raw is an array (MCP 2025-03-26).
	Batch bool
}

// Read reads a body into memory, which has to be empty, and parses it. It returns
// ErrTooLarge, an *Error, or whatever the reader failed with. size is the length
// that the sender declared, -1 if none: a hint only. The result refers to the memory.
func Read(r io.Reader, size int64, limits Limits, memory *bytes.Buffer) (*Body, error) {
	if size > limits.Bytes {
		return nil, ErrTooLarge
	}
	// A declared length is a promise; memory is spent only as far as it is kept.
	const readAhead = 64 << 10
	memory.Grow(int(min(max(size, 0), readAhead)) + bytes.MinRead)
	n, err := memory.ReadFrom(io.LimitReader(r, limits.Bytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case n > limits.Bytes:
		return nil, ErrTooLarge
	}
	return Parse(memory.Bytes(), limits.Depth)
}

// Parse reads a body that nests no deeper than depth; zero means DefaultDepth. Its
// errors are *Error. The result refers to data.
func Parse(data []byte, depth int) (*Body, error) {
	if depth == 0 {
		depth = DefaultDepth
	}
	if err := wellFormed(data, depth); err != nil {
		return nil, &Error{Code: ParseError, Message: err.Error()}
	}
	c := &cursor{data: data}
	if c.peek() != '[' {
		message, err := parseMessage(c.value())
		if err != nil {
			return nil, err
		}
		return &Body{Raw: data, Messages: []Message{message}}, nil
	}
	messages, err := parseBatch(c)
	if err != nil {
		return nil, err
	}
	return &Body{Raw: data, Messages: messages, Batch: true}, nil
}

func parseBatch(c *cursor) ([]Message, error) {
	var messages []Message
	err := c.elements(func(raw []byte) error {
		if len(messages) == MaxBatch {
			return &Error{Code: InvalidRequest, Message: fmt.Sprintf("a batch of more than %d messages is not accepted", MaxBatch)}
		}
		message, err := parseMessage(raw)
		messages = append(messages, message)
		return err
	})
	if err == nil && len(messages) == 0 {
		err = &Error{Code: InvalidRequest, Message: "an empty batch asks for nothing"}
	}
	return messages, err
}

// wellFormed makes sure that the cursor, and any other parser, can walk data.
func wellFormed(data []byte, depth int) error {
	switch {
	case !utf8.Valid(data):
		return errors.New("the body is not valid UTF-8")
	case tooDeep(data, depth):
		return fmt.Errorf("the body nests deeper than %d levels", depth)
	case !json.Valid(data):
		return errors.New("the body is not one JSON value")
	}
	return nil
}

// tooDeep counts brackets outside strings. On text that is not JSON its answer
// means nothing, and does not matter.
func tooDeep(data []byte, most int) bool {
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) <= most {
		return false
	}
	depth := 0
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '"':
			at = endOfString(data, at) - 1
		case '{', '[':
			if depth++; depth > most {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// endOfString is the index behind the closing quote of the string that opens at
// data[at], or len(data) if it never closes.
func endOfString(data []byte, at int) int {
	for at++; at < len(data); at++ {
		switch data[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(data)
}
