//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// document is an answer as it was given once.
type document struct {
	Path   string
	Header http.Header
	Body   []byte
}

// fetch gets a document, without what every answer of net/http has anyway.
func fetch(ctx context.Context, base, path string) (document, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return document{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return document{}, err
	}
	defer func() { _ = response.Body.Close() }() // nothing is written to it
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return document{}, err
	}
	if response.StatusCode != http.StatusOK {
		return document{}, fmt.Errorf("%s answers %s", path, response.Status)
	}
	response.Header.Del("Date")
	response.Header.Del("Content-Length")
	return document{Path: path, Header: response.Header, Body: body}, nil
}

// bareHandler is a process in which net/http writes answers that it was given, and
// does nothing else.
type bareHandler struct {
	child   *child.Child
	address string
}

func startHandler(ctx context.Context, documents ...document) (*bareHandler, error) {
	encoded, err := json.Marshal(documents)
	if err != nil {
		return nil, err
	}
	c, err := child.Start(ctx, roleHandler)
	if err != nil {
		return nil, err
	}
	address, err := c.Ask(string(encoded))
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &bareHandler{c, address}, nil
}

func (h *bareHandler) target() sample.Target {
	return sample.Target{Address: h.address, PID: h.child.PID()}
}

func (h *bareHandler) stop() error { return h.child.Stop() }

// handler is the process of a bareHandler.
func handler(in io.Reader, out io.Writer) error {
	requests := child.Lines(in)
	if !requests.Scan() {
		return requests.Err()
	}
	var documents []document
	if err := json.Unmarshal(requests.Bytes(), &documents); err != nil {
		return err
	}
	byPath := make(map[string]document, len(documents))
	for _, d := range documents {
		byPath[d.Path] = d
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := byPath[r.URL.Path]
		header := w.Header()
		for name, values := range d.Header {
			header[name] = values
		}
		_, _ = w.Write(d.Body) // the client may have gone
	})}
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
