package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// maxInformational bounds the answers before the answer.
const maxInformational = 8

// Response is the answer to a Request. Its Body is read by one goroutine; it must not
// be closed, the Response must.
type Response struct {
	*http.Response

	pool *Pool
	conn *conn
	stop func() bool
	// written has the outcome of a body that is written meanwhile; nil where it all went
	// out before.
	written chan error
	whole   bool
}

// write sends what does not fit into one piece, while the answer is awaited.
func (r *Response) write(head, body []byte) {
	r.written = make(chan error, 1)
	pieces := net.Buffers{head, body}
	go func() {
		_, err := pieces.WriteTo(r.conn)
		r.written <- err
	}()
}

// readHead reads the head of the answer.
func (r *Response) readHead(method string, inform func(int, http.Header)) error {
	request := requestOf(method)
	r.conn.budget = maxHead
	defer func() { r.conn.budget = -1 }()
	if _, err := r.conn.reader.Peek(1); err != nil {
		return unexpected(err) // not even a byte: the parser would not tell that from half an answer
	}
	for range maxInformational {
		res, err := http.ReadResponse(r.conn.reader, request)
		switch {
		case err != nil:
			return err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return errors.New("it would speak another protocol, which nobody asked for")
		case res.StatusCode >= 200:
			r.Response = res
			if res.Body == http.NoBody {
				r.whole = true
			}
			return nil
		case inform != nil && res.StatusCode != http.StatusContinue:
			inform(res.StatusCode, res.Header)
		}
	}
	return fmt.Errorf("there are more than %d informational answers", maxInformational)
}

// requestOf is as much of a request as the parser of answers wants to know.
func requestOf(method string) *http.Request {
	if method == http.MethodPost {
		return posted
	}
	return &http.Request{Method: method}
}

// posted is never changed.
var posted = &http.Request{Method: http.MethodPost}

// Read reads the body.
func (r *Response) Read(p []byte) (int, error) {
	n, err := r.Body.Read(p)
	if err == io.EOF {
		r.whole = true
	}
	return n, err
}

// Wait returns when there is something to read, or nothing will come any more.
func (r *Response) Wait() error {
	_, err := r.conn.reader.Peek(1)
	if err == io.EOF {
		return nil // which Read will tell with what it means to the body
	}
	return err
}

// Waits reports whether the next Read may have to wait for the server.
func (r *Response) Waits() bool { return !r.whole && r.conn.reader.Buffered() == 0 }

// fail gives the connection up, in the words of ctx where that is why.
func (r *Response) fail(ctx context.Context, err error) error {
	r.whole = false
	r.Close()
	if ctx.Err() != nil && isTimeout(err) {
		return ctx.Err()
	}
	return err
}

// Close ends the use of the connection: it waits for the next request if this one is
// over on both sides, and is closed otherwise, so that a server which still writes
// learns that nobody reads.
func (r *Response) Close() {
	untouched := r.stop()
	reusable := untouched && r.whole && r.Response != nil && !r.Response.Close
	if r.written != nil && reusable {
		select {
		case err := <-r.written:
			r.written, reusable = nil, err == nil
		default:
			reusable = false // it answered without having read it all
		}
	}
	if reusable {
		r.pool.put(r.conn)
		return
	}
	r.conn.close()
	if r.written != nil {
		<-r.written // which fails now; the body is its sender's again
	}
}

// isClosed reports whether the server had closed before we wrote.
func isClosed(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
