package load

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// maxAnswer is more than any answer has here, in bytes.
const maxAnswer = 64 << 10

// connection speaks HTTP/1.1 as far as our servers do: every answer states its
// length.
type connection struct {
	net.Conn
	buffer []byte
}

func newConnection(conn net.Conn) *connection {
	return &connection{Conn: conn, buffer: make([]byte, maxAnswer)}
}

var (
	headerEnd     = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// exchange sends a request and reads its answer. The body is valid until the next
// exchange.
func (c *connection) exchange(request []byte) (status int, body []byte, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, nil, fmt.Errorf("send a request: %w", err)
	}
	filled, end := 0, -1
	for end < 0 {
		more, err := c.fill(filled)
		if err != nil {
			return 0, nil, err
		}
		filled += more
		end = bytes.Index(c.buffer[:filled], headerEnd)
	}
	status, length, err := readHead(c.buffer[:end+len("\r\n")])
	if err != nil {
		return 0, nil, err
	}
	begin := end + len(headerEnd)
	for filled < begin+length {
		more, err := c.fill(filled)
		if err != nil {
			return 0, nil, err
		}
		filled += more
	}
	if filled > begin+length {
		return 0, nil, errors.New("the answer is longer than it says")
	}
	return status, c.buffer[begin:filled], nil
}

func (c *connection) fill(from int) (int, error) {
	if from == len(c.buffer) {
		return 0, fmt.Errorf("the answer has more than %d bytes", len(c.buffer))
	}
	n, err := c.Read(c.buffer[from:])
	if err != nil {
		return 0, fmt.Errorf("read an answer: %w", err)
	}
	return n, nil
}

// readHead reads the status and the length out of "HTTP/1.1 200 OK\r\n…".
func readHead(head []byte) (status, length int, err error) {
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, 0, errors.New("the answer is not one of HTTP/1.1")
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, 0, fmt.Errorf("the answer has no status: %w", err)
	}
	at := bytes.Index(head, contentLength)
	if at < 0 {
		return 0, 0, errors.New("the answer does not state its length")
	}
	value := head[at+len(contentLength):]
	value, _, _ = bytes.Cut(value, []byte("\r\n"))
	if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
		return 0, 0, fmt.Errorf("the answer states the length %q", value)
	}
	return status, length, nil
}
