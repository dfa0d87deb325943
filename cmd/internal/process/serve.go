package process

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds on what a connection may do before its request is read. There is none on
// the answer: streams may stay open for hours.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 64 << 10
	// stuckTimeout is after how long a connection of HTTP/2 that takes nothing is given up.
	stuckTimeout = 2 * time.Minute
)

// DrainTimeout is how long requests may go on after the process was told to stop.
const DrainTimeout = 25 * time.Second

// Endpoint is a handler and where it is reached.
type Endpoint struct {
	// Address is host:port.
	Address string
	Handler http.Handler
	// OnStop is called when draining begins; streams end there. It may be nil.
	OnStop func()
	// TLS has the endpoint serve TLS; nil means plain HTTP. It has the certificates.
	TLS *tls.Config
}

// Listening is a set of endpoints whose addresses are taken and that do not serve
// yet.
type Listening struct {
	logger    *slog.Logger
	endpoints []Endpoint
	listeners []net.Listener
}

// Listen takes the address of every endpoint, or of none.
func Listen(ctx context.Context, logger *slog.Logger, endpoints ...Endpoint) (*Listening, error) {
	l := &Listening{logger: logger, endpoints: endpoints}
	var config net.ListenConfig
	for _, e := range endpoints {
		listener, err := config.Listen(ctx, "tcp", e.Address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", e.Address, err), l.Close())
		}
		l.listeners = append(l.listeners, listener)
	}
	return l, nil
}

// Close gives the addresses up. It is for those who do not call Serve.
func (l *Listening) Close() error {
	var err error
	for _, listener := range l.listeners {
		err = errors.Join(err, listener.Close())
	}
	return err
}

// Serve serves until ctx ends, then lets requests finish for up to DrainTimeout.
// It returns nil after that, or the error for which an endpoint stopped before.
func (l *Listening) Serve(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, e := range l.endpoints {
		server := newServer(e, l.logger)
		group.Go(func() error {
			if err := serve(server, l.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve on %s: %w", e.Address, err)
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			return l.drain(server, e)
		})
	}
	return group.Wait()
}

func serve(server *http.Server, on net.Listener) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(on, "", "")
	}
	return server.Serve(on)
}

func newServer(e Endpoint, logger *slog.Logger) *http.Server {
	server := &http.Server{
		Handler:           e.Handler,
		TLSConfig:         e.TLS,
		ReadHeaderTimeout: readHeaderTimeout,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: stuckTimeout, SendPingTimeout: stuckTimeout / 2, PingTimeout: stuckTimeout / 4},
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	if e.OnStop != nil {
		server.RegisterOnShutdown(e.OnStop)
	}
	return server
}

func (l *Listening) drain(server *http.Server, e Endpoint) error {
	ctx, cancel := context.WithTimeout(context.Background(), DrainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		l.logger.Warn("requests were still running when the time to drain was over", "address", e.Address)
		return server.Close()
	}
	return nil
}
