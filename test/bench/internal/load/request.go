package load

import (
	"fmt"
	"net/url"
	"strconv"
)

// Get is a request for a document.
func Get(host, path string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n\r\n", path, host)
}

// Form is a request that posts a form of which one value changes. It is used by one
// goroutine.
type Form struct {
	head, fixed []byte
	buffer      []byte
}

// NewForm makes the request for the path, with further header lines and the values
// that stay. The name of the value that changes comes last in the form; an empty one
// means that none does.
func NewForm(host, path string, header []string, values url.Values, changing string) *Form {
	f := &Form{fixed: []byte(values.Encode())}
	if changing != "" {
		f.fixed = fmt.Appendf(f.fixed, "&%s=", changing)
	}
	f.head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n", path, host)
	for _, line := range header {
		f.head = append(append(f.head, line...), "\r\n"...)
	}
	f.head = append(f.head, "Content-Length: "...)
	return f
}

// With is the request with a value that needs no encoding. It is valid until the
// next call.
func (f *Form) With(value string) []byte {
	f.buffer = append(f.buffer[:0], f.head...)
	f.buffer = strconv.AppendInt(f.buffer, int64(len(f.fixed)+len(value)), 10)
	f.buffer = append(f.buffer, "\r\n\r\n"...)
	f.buffer = append(f.buffer, f.fixed...)
	f.buffer = append(f.buffer, value...)
	return f.buffer
}
