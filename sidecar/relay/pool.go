package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	dialTimeout = 5 * time.Second
	// idleTimeout is shorter than that of common servers (Node.js and uvicorn close
	// after 5 s): a request written into a connection that is just being closed would be
	// lost.
	idleTimeout = 4 * time.Second
	// maxIdle is how many connections wait for work at most.
	maxIdle = 1024
)

// Pool keeps the connections to one server. It is safe for concurrent use.
type Pool struct {
	address string
	// host is what the Host header says; empty for one that cannot be written.
	host string
	tls  *tls.Config

	mu sync.Mutex
	// idle has the connection that was used last at its end.
	idle []*conn
	// sweeping says that a sweep is due.
	sweeping bool
	closed   bool
}

// New makes a Pool for the scheme and host of an http or https URL; its path does not
// count. Nothing is dialled yet.
func New(u *url.URL) *Pool {
	name, port := u.Hostname(), "80"
	if ascii, err := httpguts.PunycodeHostPort(name); err == nil {
		name = ascii
	}
	p := &Pool{}
	if u.Scheme == "https" {
		port = "443"
		p.tls = &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	}
	p.address = net.JoinHostPort(name, cmp.Or(u.Port(), port))
	if host := hostHeader(name, u.Port()); httpguts.ValidHostHeader(host) {
		p.host = host
	}
	return p
}

// hostHeader is the host and port as a URL names them. The zone of an IPv6 address means
// nothing to the server (RFC 6874 §1).
func hostHeader(name, port string) string {
	name, _, _ = strings.Cut(name, "%")
	switch {
	case port != "":
		return net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		return "[" + name + "]"
	}
	return name
}

// take returns a connection that waits, or a new one. used says which.
func (p *Pool) take(ctx context.Context) (c *conn, used bool, err error) {
	for {
		c := p.pop()
		if c == nil {
			c, err = p.dial(ctx)
			return c, false, err
		}
		if c.alive() {
			return c, true, nil
		}
		c.close()
	}
}

func (p *Pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

func (p *Pool) dial(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, fmt.Errorf("connect to the upstream: %w", err)
	}
	if p.tls == nil {
		return newConn(c, c), nil
	}
	secured := tls.Client(c, p.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = c.Close() // nothing has been sent
		return nil, fmt.Errorf("connect to the upstream: %w", err)
	}
	return newConn(secured, c), nil
}

// put keeps a connection for the next request.
func (p *Pool) put(c *conn) {
	c.since = time.Now()
	p.mu.Lock()
	keep := !p.closed && len(p.idle) < maxIdle
	if keep {
		p.idle = append(p.idle, c)
		if !p.sweeping {
			p.sweeping = true
			time.AfterFunc(idleTimeout, p.sweep)
		}
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
}

// sweep closes what has waited too long, which is what stands first, and comes back
// as long as something waits.
func (p *Pool) sweep() {
	p.mu.Lock()
	old := 0
	for old < len(p.idle) && time.Since(p.idle[old].since) >= idleTimeout {
		old++
	}
	stale := append([]*conn(nil), p.idle[:old]...)
	kept := copy(p.idle, p.idle[old:])
	clear(p.idle[kept:])
	p.idle = p.idle[:kept]
	p.sweeping = kept > 0
	if p.sweeping {
		time.AfterFunc(idleTimeout-time.Since(p.idle[0].since), p.sweep)
	}
	p.mu.Unlock()
	for _, c := range stale {
		c.close()
	}
}

// Close closes the connections that wait, and from now on those that come back.
// Requests under way go on.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}
