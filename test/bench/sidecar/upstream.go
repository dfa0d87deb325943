//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

const (
	// toolResult is what every call of a tool is answered.
	toolResult = `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"3 tasks are open in the project apollo: ` +
		`write the announcement, order the cake, invite the neighbours."}],"isError":false}}`
	// firstEvent is what every stream begins with.
	firstEvent = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
)

// mcpServer is the process of an MCP server that does nothing, behind one address for
// each proxy.
type mcpServer struct {
	child *child.Child
	// sidecar and bare are what the two proxies connect to.
	sidecar, bare string
}

func startUpstream(ctx context.Context) (*mcpServer, error) {
	c, err := child.Start(ctx, roleUpstream)
	if err != nil {
		return nil, err
	}
	s := &mcpServer{child: c}
	answer, err := c.Ask("addresses")
	if err == nil {
		_, err = fmt.Sscan(answer, &s.sidecar, &s.bare)
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return s, nil
}

// accepted is how many connections have come to an address so far.
func (s *mcpServer) accepted(address string) (int, error) {
	answer, err := s.child.Ask(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}

// counting counts the connections that it accepts.
type counting struct {
	net.Listener
	accepted atomic.Int64
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// upstream is the process of an mcpServer: "addresses" asks for its two addresses, and
// an address for the number of its connections.
func upstream(in io.Reader, out io.Writer) error {
	server := &http.Server{Handler: http.HandlerFunc(serveMCP), ReadHeaderTimeout: 10 * time.Second}
	byAddress, addresses := map[string]*counting{}, ""
	ended := make(chan error, 2)
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		counted := &counting{Listener: listener}
		byAddress[listener.Addr().String()] = counted
		addresses += listener.Addr().String() + " "
		go func() { ended <- server.Serve(counted) }()
	}
	requests := child.Lines(in)
	for requests.Scan() {
		answer := addresses
		if counted := byAddress[requests.Text()]; counted != nil {
			answer = strconv.FormatInt(counted.accepted.Load(), 10)
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	if err := errors.Join(requests.Err(), server.Close()); err != nil {
		return err
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	}
	return nil
}

// serveMCP answers every call at once, and opens streams of one event.
func serveMCP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	switch {
	case r.URL.Path != mcpPath:
		http.NotFound(w, r)
	case r.Method == http.MethodPost:
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		header["Content-Type"] = []string{"application/json"}
		header["Content-Length"] = []string{strconv.Itoa(len(toolResult))}
		_, _ = io.WriteString(w, toolResult) // the proxy may have gone
	default:
		header["Content-Type"] = []string{"text/event-stream"}
		header["Cache-Control"] = []string{"no-store"}
		_, _ = io.WriteString(w, firstEvent) // the proxy may have gone
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}
