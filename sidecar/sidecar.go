package sidecar

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/policy"
)

// DefaultMaxBody bounds the body of a POST, in bytes.
const DefaultMaxBody = 4 << 20

// Options say what a Sidecar enforces and where it passes requests on. Policy and
// Keys are required; Live is both.
type Options struct {
	// Policy returns the policy in force. It is asked once for each request and
	// must be fast; a nil policy is answered by 503.
	Policy func() *policy.Policy
	// Keys finds the keys that tokens are signed with.
	Keys accesstoken.KeySource
	// Transport carries requests to the MCP server; nil means NewTransport.
	Transport http.RoundTripper
	// Audit receives an event for every message and every refusal. The zero value
	// discards them.
	Audit audit.Log
	// Logger is told what goes wrong; nil means silence.
	Logger *slog.Logger
	// MaxBody bounds the body of a POST, in bytes; zero means DefaultMaxBody.
	MaxBody int64
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Sidecar is the proxy as an http.Handler. It is safe for concurrent use.
type Sidecar struct {
	options Options

	// derived is what follows from the policy that was last seen.
	derived atomic.Pointer[site]
	// proofs are the DPoP proofs that were used.
	proofs     *dpop.Replays
	buffers    buffers
	streams    context.Context
	endStreams context.CancelFunc
}

// New makes a Sidecar.
func New(o Options) *Sidecar {
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sidecar{options: o, proofs: dpop.NewReplays(0, 0), buffers: buffers{pool: &sync.Pool{}}}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	return s
}

// ServeHTTP takes a request through the steps, until one of them answers it.
func (s *Sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Sidecar: s, w: w, r: r, started: s.options.Now()}
	defer x.audit()
	for _, step := range [...]func(*exchange) *answer{
		(*exchange).enter,          // site.go
		(*exchange).route,          // route.go, metadata.go
		(*exchange).checkOrigin,    // origin.go
		(*exchange).checkMethod,    // route.go
		(*exchange).authenticate,   // authenticate.go, possession.go
		(*exchange).readMessages,   // messages.go
		(*exchange).compareHeaders, // messages.go
		(*exchange).authorize,      // authorize.go
	} {
		if a := step(x); a != nil {
			x.reply(a)
			return
		}
	}
	x.forward() // proxy.go, identity.go
}

// EndStreams ends the streams that wait for events and would hold up a graceful
// stop for ever; clients come back for them. Calls run on. It is meant for
// http.Server.RegisterOnShutdown.
func (s *Sidecar) EndStreams() { s.endStreams() }
