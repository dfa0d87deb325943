package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// cursor walks JSON text that json.Valid has accepted: it may take for granted
// that every bracket closes and every comma is in its place.
type cursor struct {
	data []byte
	at   int
}

// peek skips white space and returns the byte behind it without consuming it.
func (c *cursor) peek() byte {
	for {
		switch b := c.data[c.at]; b {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return b
		}
	}
}

// value consumes the next value and returns its text.
func (c *cursor) value() []byte {
	first, start := c.peek(), c.at
	switch first {
	case '"':
		c.at = endOfString(c.data, c.at)
	case '{', '[':
		c.skipNested()
	default:
		for c.at < len(c.data) && !endsScalar(c.data[c.at]) {
			c.at++
		}
	}
	return c.data[start:c.at]
}

func endsScalar(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', ',', ']', '}':
		return true
	}
	return false
}

func (c *cursor) skipNested() {
	for depth := 0; ; c.at++ {
		switch c.data[c.at] {
		case '"':
			c.at = endOfString(c.data, c.at) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				c.at++
				return
			}
		}
	}
}

// elements calls visit for each element of the array that comes next, until
// visit fails.
func (c *cursor) elements(visit func(raw []byte) error) error {
	c.peek()
	c.at++ // [
	for c.peek() != ']' {
		if err := visit(c.value()); err != nil {
			return err
		}
		if c.peek() == ',' {
			c.at++
		}
	}
	c.at++ // ]
	return nil
}

// members calls visit for each member of the object that comes next, until visit
// fails. The cursor stands behind the value then.
func (c *cursor) members(visit func(key, raw []byte) error) error {
	c.peek()
	c.at++ // {
	for c.peek() != '}' {
		key, _ := content(c.value())
		c.peek()
		c.at++ // :
		if err := visit(key, c.value()); err != nil {
			return err
		}
		if c.peek() == ',' {
			c.at++
		}
	}
	c.at++ // }
	return nil
}

// content decodes a string; it reports false for any other value. The result may be
// a part of raw.
func content(raw []byte) ([]byte, bool) {
	if raw[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err == nil
}

// text is content as a string of its own.
func text(raw []byte) (string, bool) {
	b, ok := content(raw)
	return string(b), ok
}
