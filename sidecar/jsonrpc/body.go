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
	// MaxDepth is how deep arrays and objects may nest.
	MaxDepth = 100
	// MaxBatch is how many messages a batch may hold.
	MaxBatch = 256
)

// Body is a whole request body.
type Body struct {
	// Raw is the text as it came.
	Raw []byte
	// Messages are what it says, in order; at least one.
	Messages []Message
	// Batch is whether Raw is an array (MCP 2025-03-26).
	Batch bool
}

// Read reads a body of at most limit bytes. It returns ErrTooLarge, an *Error,
// or whatever the reader failed with. size is the length that the sender
// declared, -1 if none: a hint only.
func Read(r io.Reader, size, limit int64) (*Body, error) {
	if size > limit {
		return nil, ErrTooLarge
	}
	var buffer bytes.Buffer
	// A declared length is a promise; memory is spent only as far as it is kept.
	const readAhead = 64 << 10
	buffer.Grow(int(min(max(size, 0), readAhead)) + bytes.MinRead)
	n, err := buffer.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case n > limit:
		return nil, ErrTooLarge
	}
	return Parse(buffer.Bytes())
}

// Parse reads a body. Its errors are *Error. The result refers to data.
func Parse(data []byte) (*Body, error) {
	if err := wellFormed(data); err != nil {
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
func wellFormed(data []byte) error {
	switch {
	case !utf8.Valid(data):
		return errors.New("the body is not valid UTF-8")
	case tooDeep(data):
		return fmt.Errorf("the body nests deeper than %d levels", MaxDepth)
	case !json.Valid(data):
		return errors.New("the body is not one JSON value")
	}
	return nil
}

// tooDeep counts brackets outside strings. On text that is not JSON its answer
// means nothing, and does not matter.
func tooDeep(data []byte) bool {
	depth := 0
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '"':
			at = endOfString(data, at) - 1
		case '{', '[':
			if depth++; depth > MaxDepth {
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
