//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// bareProxy is the process of a proxy that passes everything on and checks nothing.
type bareProxy struct {
	child   *child.Child
	address string
}

func startBare(ctx context.Context, upstream string) (*bareProxy, error) {
	c, err := child.Start(ctx, roleBare)
	if err != nil {
		return nil, err
	}
	address, err := c.Ask(upstream)
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &bareProxy{c, address}, nil
}

// bare is the process of a bareProxy, which is asked once, with the address of the MCP
// server. It is httputil.ReverseProxy at its fastest: buffers are lent, idle
// connections are kept for ever, no timer runs and nothing is logged. What has a
// length is not flushed early; event streams are, by themselves.
func bare(in io.Reader, out io.Writer) error {
	requests := child.Lines(in)
	if !requests.Scan() {
		return requests.Err()
	}
	target := &url.URL{Scheme: "http", Host: requests.Text()}
	silence := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, ""
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
		BufferPool: lent{&sync.Pool{New: func() any { return new([lentSize]byte) }}},
		ErrorLog:   silence,
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: proxy, ErrorLog: silence}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	for requests.Scan() { // until our parent ends
	}
	if err := errors.Join(requests.Err(), server.Close()); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

const lentSize = 16 << 10

// lent is an httputil.BufferPool that allocates nothing once it is warm.
type lent struct{ pool *sync.Pool }

func (l lent) Get() []byte { return l.pool.Get().(*[lentSize]byte)[:] }

func (l lent) Put(buffer []byte) { l.pool.Put((*[lentSize]byte)(buffer)) }
