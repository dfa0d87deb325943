package sidecar

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// statusClientClosed is what the audit notes of a client that did not wait for
// its answer; it is never sent.
const statusClientClosed = 499

// methodListen opens the event stream of MCP 2026-07-28.
const methodListen = "subscriptions/listen"

// NewTransport makes the transport to an MCP server on loopback. It compresses
// nothing and waits for a response as long as it takes. An idle connection is
// given up before common servers do it (Node.js and uvicorn after 5 s): a request
// written into a connection that is just being closed would be lost.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     4 * time.Second,
		DisableCompression:  true,
	}
}

// forward passes the request on and the response back as it comes. When the
// client closes, the request upstream is cancelled.
func (x *exchange) forward() {
	r := x.r
	if x.listens() {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(x.streams, cancel)()
		r = r.WithContext(ctx)
	}
	proxy := httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x.options.Transport,
		FlushInterval:  -1, // every event at once
		ModifyResponse: x.received,
		ErrorHandler:   x.failed,
		BufferPool:     x.buffers,
		ErrorLog:       slog.NewLogLogger(x.options.Logger.Handler(), slog.LevelDebug),
	}
	proxy.ServeHTTP(x.w, r)
}

// listens reports a request whose response only waits for events.
func (x *exchange) listens() bool {
	if x.body == nil {
		return x.r.Method == http.MethodGet
	}
	return len(x.body.Messages) == 1 && x.body.Messages[0].Method == methodListen
}

// rewrite makes the request to the MCP server. It runs after hop-by-hop headers
// are gone, so that no "Connection: X-Mcp-Auth-Subject" takes ours away.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	out := p.Out
	out.URL.Scheme, out.URL.Host = x.site.upstream.Scheme, x.site.upstream.Host
	out.URL.Path, out.URL.RawPath = x.target, ""
	out.Host = "" // that of the URL: MCP servers on loopback refuse other names
	x.identify(out.Header)

	out.Trailer, out.TransferEncoding = nil, nil
	out.Body, out.GetBody, out.ContentLength = nil, nil, 0
	if x.body != nil {
		raw := x.body.Raw
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	}
}

// received sees the head of the MCP server's response. What it says about CORS is
// not its to say: the policy names the origins.
func (x *exchange) received(res *http.Response) error {
	x.status = res.StatusCode
	for name := range res.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(res.Header, name)
		}
	}
	x.allowOrigin(res.Header)
	return nil
}

// failed answers for an MCP server that does not.
func (x *exchange) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	switch {
	case x.r.Context().Err() != nil:
		x.status = statusClientClosed
		return
	case x.listens() && x.streams.Err() != nil:
		x.reply(unavailable("the server is stopping"))
		return
	}
	x.options.Logger.Warn("the MCP server does not answer", "upstream", x.site.upstream.Host, "error", err)
	told := &jsonrpc.Error{Code: jsonrpc.InternalError, Message: "the MCP server does not answer"}
	if x.body != nil && !x.body.Batch {
		told.ID = x.body.Messages[0].ID
	}
	x.reply(&answer{status: http.StatusBadGateway, reason: reasonUpstream, body: told})
}

// buffers lends the memory through which responses flow. Events are small, and
// many streams are open at once.
type buffers struct{ pool *sync.Pool }

const bufferSize = 16 << 10

func (b buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, bufferSize)
}

func (b buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
