package sidecar

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/sidecar/eventstream"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
	"github.com/mcpauth/mcpauth/sidecar/relay"
)

// statusClientClosed is what the audit notes of a client that did not wait for
// its answer; it is never sent.
const statusClientClosed = 499

// methodListen opens the event stream of MCP 2026-07-28.
const methodListen = "subscriptions/listen"

// forward passes the request on and the answer back as it comes. When the
// client closes, the request upstream is cancelled.
func (x *exchange) forward() {
	ctx := x.r.Context()
	if x.listens() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(x.streams, cancel)()
		defer x.watched.add(x, cancel)()
		defer x.options.Metrics.streaming()()
	}
	inspected := x.inspect()
	target := x.target
	if query := x.r.URL.RawQuery; query != "" || x.r.URL.ForceQuery {
		target += "?" + query
	}
	x.span = x.options.Tracing.begin(x)
	up := x.site.relay.Request(x.r.Method, target)
	x.writeHeaders(up, inspected != nil)
	var raw []byte
	if x.body != nil {
		raw = x.body.Raw
	}
	res, err := up.Send(ctx, raw, x.inform)
	if err != nil {
		x.failed(err)
		return
	}
	defer res.Close()
	x.respond(res, inspected)
}

// listens reports a request whose response only waits for events.
func (x *exchange) listens() bool {
	if x.body == nil {
		return x.r.Method == http.MethodGet
	}
	return slices.ContainsFunc(x.body.Messages, func(m jsonrpc.Message) bool { return m.Method == methodListen })
}

// inform passes an informational answer on (RFC 9110 §15.2).
func (x *exchange) inform(code int, header http.Header) {
	if !x.r.ProtoAtLeast(1, 1) {
		return // which such a client would take for the answer
	}
	to := x.w.Header()
	x.allowTime()
	copyHeaders(to, header)
	x.w.WriteHeader(code)
	clear(to)
}

// respond passes the answer on.
func (x *exchange) respond(res *relay.Response, in *inspection) {
	x.status = res.StatusCode
	header := x.w.Header()
	copyHeaders(header, res.Header)
	if len(header["Content-Type"]) == 0 {
		header["Content-Type"] = nil // what says nothing of its type is not guessed at
	}
	x.allowOrigin(header)
	x.noteSession(res.Response)
	if in != nil {
		x.respondInspected(res, in)
		return
	}
	x.respondAsIs(res, nil)
}

// respondAsIs streams the body on, through a filter where there is one.
func (x *exchange) respondAsIs(res *relay.Response, filter *eventstream.Filter) {
	announced := maps.Clone(res.Trailer)
	for name := range announced {
		x.w.Header().Add("Trailer", name)
	}
	x.allowTime()
	x.w.WriteHeader(res.StatusCode)
	if x.listens() {
		// The stream may last for hours; the token and what else came with the request, for
		// which nobody has a use any more, need not.
		clear(x.r.Header)
		x.token = ""
	}
	if err := x.pass(res, filter); err != nil {
		x.broken(err)
		return
	}
	x.passTrailers(res.Trailer, announced)
}

// passTrailers sends what came behind the body. Where it was not announced, an answer that
// is still held back must not get a length, behind which there is nothing.
func (x *exchange) passTrailers(trailers, announced http.Header) {
	if len(trailers) > len(announced) {
		_ = http.NewResponseController(x.w).Flush() // a client that is gone has nobody to be told
	}
	for name, values := range trailers {
		if hopByHop(name) {
			continue
		}
		if _, ok := announced[name]; !ok {
			name = http.TrailerPrefix + name
		}
		x.w.Header()[name] = values
	}
}

// errOutlived says that a stream has outlived its token.
var errOutlived = errors.New("the access token has ended")

// errClientGone says that there is nobody to pass anything on to.
var errClientGone = errors.New("the client is gone")

// pass copies the body. What is there is sent before more is waited for, and no memory is
// held while there is nothing to send.
func (x *exchange) pass(res *relay.Response, filter *eventstream.Filter) error {
	connection := http.NewResponseController(x.w)
	var filtered []byte
	for {
		if res.Waits() {
			if err := connection.Flush(); err != nil {
				return errClientGone
			}
			filtered = nil
			// A deadline of HTTP/2 ends the stream also where nothing is written.
			_ = connection.SetWriteDeadline(time.Time{})
			if err := res.Wait(); err != nil {
				return err
			}
			x.allowTime()
		}
		data := x.lending.borrowChunk()
		n, err := res.Read(*data)
		piece := (*data)[:n]
		if filter != nil {
			var failed error
			if filtered, failed = filter.Feed(filtered[:0], piece); failed != nil {
				err = failed
			} else if errors.Is(err, io.EOF) {
				filtered = filter.End(filtered)
			}
			piece = filtered
		}
		if len(piece) > 0 && x.listens() && x.outlived(time.Now()) {
			x.over.Store(true)
			x.lending.lendChunk(data)
			return errOutlived
		}
		gone := x.write(piece)
		x.lending.lendChunk(data)
		switch {
		case gone:
			return errClientGone
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// write sends a piece and reports whether there is nobody to take it.
func (x *exchange) write(piece []byte) (gone bool) {
	if len(piece) == 0 {
		return false
	}
	if x.written > 0 {
		x.allowTime()
	}
	n, err := x.w.Write(piece)
	x.written += int64(n)
	return err != nil
}

// broken ends an answer that did not come to its end, so that nobody takes it for whole.
// A stream that we end ourselves is as whole as it will be.
func (x *exchange) broken(err error) {
	if x.listens() && (x.streams.Err() != nil || x.over.Load()) {
		return
	}
	if !errors.Is(err, errClientGone) && x.r.Context().Err() == nil {
		x.options.Logger.Warn("the MCP server's answer broke off", "upstream", x.site.upstream.Host, "error", err)
		x.reason = reasonUpstream
	}
	panic(http.ErrAbortHandler)
}

// failed answers for an MCP server that does not.
func (x *exchange) failed(err error) {
	switch {
	case x.r.Context().Err() != nil:
		x.status = statusClientClosed
		return
	case x.listens() && x.over.Load():
		x.reply(unavailable("the access token has ended; open the stream again with another"))
		return
	case x.listens() && x.streams.Err() != nil:
		x.reply(unavailable("the server is stopping"))
		return
	}
	x.options.Logger.Warn("the MCP server does not answer", "upstream", x.site.upstream.Host, "error", err)
	x.reply(x.upstreamFailed("the MCP server does not answer"))
}

func (x *exchange) upstreamFailed(message string) *answer {
	told := &jsonrpc.Error{Code: jsonrpc.InternalError, Message: message}
	if x.body != nil && !x.body.Batch {
		told.ID = x.body.Messages[0].ID
	}
	return &answer{status: http.StatusBadGateway, reason: reasonUpstream, body: told}
}
