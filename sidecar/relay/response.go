package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxInformational bounds the answers before the answer.
const maxInformational = 8

// Response is the answer to a Request. Its Body is read by one goroutine; it must not
// be closed, the Response must.
type Response struct {
	*http.Response

	ctx  context.Context
	pool *Pool
	conn *conn
	stop func() bool
	// written is closed when a body that is written meanwhile has gone out, or failed by
	// writeErr; nil where it all went out before.
	written  chan struct{}
	writeErr error
	// whole says that the answer was read to its end.
	whole, closed bool
}

// write sends what does not fit into one piece, while the answer is awaited.
func (r *Response) write(head, body []byte) {
	r.written = make(chan struct{})
	pieces := net.Buffers{head, body}
	go func() {
		defer close(r.written)
		_, r.writeErr = pieces.WriteTo(r.conn.Conn) // which TCP sends as one
	}()
}

// readHead reads the head of the answer.
func (r *Response) readHead(method string, inform func(int, http.Header)) error {
	request := requestOf(method)
	r.conn.budget = maxHead
	defer func() { r.conn.budget = -1 }()
	if _, err := r.conn.reader.Peek(1); err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err) // the parser would not tell that from half an answer
	}
	for range maxInformational + 1 {
		res, err := http.ReadResponse(r.conn.reader, request) //nolint:bodyclose // Close closes the connection
		switch {
		case err != nil:
			return err
		case res.StatusCode < 100:
			return fmt.Errorf("the status %d is none", res.StatusCode)
		case res.StatusCode == http.StatusSwitchingProtocols:
			return errors.New("it would speak another protocol, which nobody asked for")
		case res.StatusCode >= 200:
			r.Response = res
			r.whole = res.Body == http.NoBody
			return nil
		case inform != nil && res.StatusCode != http.StatusContinue:
			inform(res.StatusCode, res.Header)
		}
	}
	return fmt.Errorf("there are more than %d informational answers", maxInformational)
}

// requestOf is as much of a request as the parser of answers wants to know: nothing, but
// for the one method whose answers have no body.
func requestOf(method string) *http.Request {
	if method == http.MethodHead {
		return &http.Request{Method: method}
	}
	return nil
}

// Read reads the body. After an io.EOF the Trailer is complete.
func (r *Response) Read(p []byte) (int, error) {
	n, err := r.Body.Read(p)
	if err == io.EOF {
		r.whole = true
		return n, err
	}
	return n, r.explain(err)
}

// Wait returns when there is something to read, or nothing will come any more.
func (r *Response) Wait() error {
	if r.whole {
		return nil
	}
	_, err := r.conn.reader.Peek(1)
	if err == io.EOF {
		return nil // which Read will tell with what it means to the body
	}
	return r.explain(err)
}

// Waits reports whether the next Read will have to wait for the server. It errs for a
// server that pauses between the bytes that frame a chunk.
func (r *Response) Waits() bool { return !r.whole && r.conn.reader.Buffered() == 0 }

// fail gives the connection up.
func (r *Response) fail(err error) error {
	r.whole = false
	r.Close()
	return r.explain(err)
}

// explain puts an error into the words of the context where that has ended.
func (r *Response) explain(err error) error {
	if err == nil || r.ctx.Err() == nil {
		return err
	}
	return r.ctx.Err()
}

// Close ends the use of the connection: it waits for the next request if this one is
// over on both sides, and is closed otherwise, so that a server which still writes
// learns that nobody reads. Only the first of several calls does something.
func (r *Response) Close() {
	if r.closed {
		return
	}
	r.closed = true
	untouched := r.stop()
	if untouched && r.whole && r.framed() && r.sent() {
		r.pool.put(r.conn)
		return
	}
	r.conn.close()
	if r.written != nil {
		<-r.written // which fails now; the body is its sender's again
	}
}

// framed reports whether the next answer would begin where this one has ended.
func (r *Response) framed() bool {
	if r.Response.Close || r.conn.reader.Buffered() > 0 {
		return false
	}
	// Who announces a body in an answer that cannot have one may well send it.
	length := r.Header.Get("Content-Length")
	return r.StatusCode != http.StatusNoContent || r.TransferEncoding == nil && (length == "" || length == "0")
}

// sendGrace is how long a sender has to say that it has sent everything, after all was
// answered.
const sendGrace = 50 * time.Millisecond

// sent reports whether the whole request went out. Who answers before does not read on.
func (r *Response) sent() bool {
	if r.written == nil {
		return true
	}
	late := time.NewTimer(sendGrace)
	defer late.Stop()
	select {
	case <-r.written:
		return r.writeErr == nil
	case <-late.C:
		return false
	}
}
