package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
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
	r.broken = !httpguts.ValidHeaderFieldName(method) || !isTarget(target)
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
// Transfer-Encoding, Connection, Host, Trailer) are the relay's own and must not be
// added.
func (r *Request) Add(name, value string) {
	if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
		r.broken = true
		return
	}
	b := append(*r.head, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	*r.head = append(b, "\r\n"...)
}

// Send writes the request and reads the head of the answer; informational answers
// before it are handed to inform, which may be nil. body is nil where the request
// has none, which is not the same as an empty one; it must not change until the
// Response is closed. When ctx ends, so does whatever waits for the server, until
// then and while the answer is read.
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
		c, used, err := r.pool.take(ctx)
		if err != nil {
			return nil, err
		}
		res, err := r.exchange(ctx, c, body, inform)
		if err == nil {
			return res, nil
		}
		// The server may have closed in the moment between the look and the write. What
		// changes nothing is asked again, on another connection.
		if !used || r.method != http.MethodGet || ctx.Err() != nil || !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
}

// exchange writes on c and reads the head of the answer. body is what does not stand
// in the head already.
func (r *Request) exchange(ctx context.Context, c *conn, body []byte, inform func(int, http.Header)) (*Response, error) {
	res := &Response{pool: r.pool, conn: c, stop: context.AfterFunc(ctx, c.abort)}
	if len(body) == 0 {
		if _, err := c.Write(*r.head); err != nil {
			return nil, res.fail(ctx, fmt.Errorf("write to the upstream: %w", unexpected(err)))
		}
	} else {
		// A server may answer before it has read it all, and wait until that is read.
		res.write(append([]byte(nil), *r.head...), body)
	}
	if err := res.readHead(r.method, inform); err != nil {
		return nil, res.fail(ctx, fmt.Errorf("read the upstream's answer: %w", err))
	}
	return res, nil
}

// unexpected makes a connection that was closed before us look as one that was closed
// behind us: neither has an answer.
func unexpected(err error) error {
	if isClosed(err) {
		return io.EOF
	}
	return err
}

func (r *Request) release() {
	if cap(*r.head) <= maxKept {
		heads.Put(r.head)
	}
	r.head = nil
}

// isTimeout reports whether an error comes from abort.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
