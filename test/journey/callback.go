package journey

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
)

// callback is the loopback listener of a native client (RFC 8252 §7.3), which
// receives the authorization response.
type callback struct {
	// URI is the redirect URI to register.
	URI string

	server   *http.Server
	received chan url.Values
}

func newCallback() (*callback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the redirect: %w", err)
	}
	c := &callback{
		URI:      "http://" + listener.Addr().String() + "/callback",
		received: make(chan url.Values, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", c.receive)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = c.server.Serve(listener) }() // ends when close closes the server
	return c, nil
}

func (c *callback) receive(w http.ResponseWriter, r *http.Request) {
	select {
	case c.received <- r.URL.Query():
		fmt.Fprintln(w, "You may close this page.")
	default:
		http.Error(w, "nobody waits for this response", http.StatusConflict)
	}
}

// wait returns the next authorization response.
func (c *callback) wait(ctx context.Context) (*auth.AuthorizationResult, error) {
	select {
	case q := <-c.received:
		if code := q.Get("error"); code != "" {
			return nil, fmt.Errorf("the authorization server answered %s: %s", code, q.Get("error_description"))
		}
		return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the authorization response at %s: %w", c.URI, ctx.Err())
	}
}

func (c *callback) close() { _ = c.server.Close() }
