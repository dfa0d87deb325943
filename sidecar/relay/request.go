package relay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// ErrMalformed says that a request cannot be written as HTTP: a header, the method or
// the target holds what would end it early.
var ErrMalformed = errors.New("the request cannot be written")

// inOnePiece is the longest body that is copied behind the head, so that both go out
// in one write.
const inOnePiece = 32 << 10

// Request is a request that is being written. Make one with Pool.Request, add to it,
// and Send it once.
type Request struct {
	pool   *Pool
	method string
	head   *[]byte
	broken bool
}

// heads lends the memory in which requests are written.
var heads = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKept is the longest memory that is lent again.
const maxKept = 64 << 10

// Request begins a request. The target is its path and query as they are sent.
func (p *Pool) Request(method, target string) *Request {
	r := &Request{pool: p, method: method, head: heads.Get().(*[]byte)}
	r.broken = p.host == "" || !httpguts.ValidHeaderFieldName(method) || !isTarget(target)
	b := append((*r.head)[:0], method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, p.host...)
	*r.head = append(b, "\r\n"...)
	return r
}

// isTarget reports whether a target stays in its place in the request line.
func isTarget(target string) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// Add writes a header. The fields that frame the message (Content-Length,
// Transfer-Encoding, Connection, Host, Trailer) are the relay's own: with one of them the
// request is malformed.
func (r *Request) Add(name, value string) {
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || frames(name) {
		r.broken = true
		return
	}
	b := append(*r.head, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	*r.head = append(b, "\r\n"...)
}

// frames reports the names of the fields that say where a message ends and whose it is.
func frames(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Connection"):
		return strings.EqualFold(name, "Connection")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// Send writes the request and reads the head of the answer; informational answers
// before it are handed to inform, which may be nil. body is nil where the request
// has none, which is not the same as an empty one; it must not change until the
// Response is closed. When ctx ends, so does whatever waits for the server, until
// then and while the answer is read; the error is that of ctx.
//
// A nil error comes with a Response that has to be closed.
func (r *Request) Send(ctx context.Context, body []byte, inform func(code int, header http.Header)) (*Response, error) {
	defer r.release()
	if r.broken {
		return nil, ErrMalformed
	}
	b := *r.head
	if body != nil {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if len(body) <= inOnePiece {
		b, body = append(b, body...), nil
	}
	*r.head = b
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, used, err := r.pool.take(ctx)
		if err != nil {
			return nil, err
		}
		res, err := r.exchange(ctx, c, body, inform)
		if err == nil || !used || !r.repeats(err) {
			return res, err
		}
	}
}

var (
	// errUnsent says that not a byte of the request went out.
	errUnsent = errors.New("it takes nothing")
	// errUnanswered says that not a byte of an answer came.
	errUnanswered = errors.New("it gives no answer")
)

// repeats reports whether a request that failed so is sent again on another connection:
// the server may have closed this one in the moment between the look and the write. One
// that may have arrived is repeated only if it changes nothing.
func (r *Request) repeats(err error) bool {
	return errors.Is(err, errUnsent) || errors.Is(err, errUnanswered) && isSafe(r.method)
}

// isSafe reports the methods that change nothing (RFC 9110 §9.2.1).
func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// exchange writes on c and reads the head of the answer. body is what does not stand
// in the head already.
func (r *Request) exchange(ctx context.Context, c *conn, body []byte, inform func(int, http.Header)) (*Response, error) {
	res := &Response{ctx: ctx, pool: r.pool, conn: c, stop: context.AfterFunc(ctx, c.abort)}
	if len(body) == 0 {
		if err := writeHead(c, *r.head); err != nil {
			return nil, res.fail(fmt.Errorf("write to the upstream: %w", err))
		}
	} else {
		// A server may answer before it has read it all, and wait until that is read.
		res.write(append([]byte(nil), *r.head...), body)
	}
	if err := res.readHead(r.method, inform); err != nil {
		return nil, res.fail(fmt.Errorf("read the upstream's answer: %w", err))
	}
	return res, nil
}

func writeHead(c *conn, head []byte) error {
	n, err := c.Write(head)
	switch {
	case err == nil:
		return nil
	case n == 0:
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	return fmt.Errorf("%w: %w", errUnanswered, err)
}

func (r *Request) release() {
	if cap(*r.head) <= maxKept {
		heads.Put(r.head)
	}
	r.head = nil
}
