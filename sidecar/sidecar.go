package sidecar

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/policy"
)

// What is enforced where the policy says nothing.
const (
	// DefaultMaxBody bounds the body of a POST, in bytes.
	DefaultMaxBody = 4 << 20
	// DefaultMaxHeader bounds the head of a request, in bytes.
	DefaultMaxHeader = 32 << 10
)

// tokensKept is how many verified tokens are remembered.
const tokensKept = 1 << 14

// Options say what a Sidecar enforces. Policy and Keys are required; a Live has all of
// the first four.
type Options struct {
	// Policy returns the policy in force. It is asked once for each request and
	// must be fast; a nil policy is answered by 503.
	Policy func() *policy.Policy
	// Keys finds the keys that tokens are signed with.
	Keys accesstoken.KeySource
	// Revocations are asked whether a token was revoked; nil means that none is.
	Revocations accesstoken.Revocations
	// Fresh says why Revocations may lack too much to serve at all, or nil; a nil Fresh
	// never does.
	Fresh func() error
	// Audit receives an event for every message and every refusal. The zero value
	// discards them.
	Audit audit.Log
	// Metrics count what happens; nil counts nothing.
	Metrics *Metrics
	// Tracing begins traces, where it is told to; nil begins none.
	Tracing *Tracing
	// Logger is told what goes wrong; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Sidecar is the proxy as an http.Handler. It is safe for concurrent use.
type Sidecar struct {
	options Options

	// derived is what follows from the policy that was last seen; deriving is held while
	// that is worked out.
	derived  atomic.Pointer[site]
	deriving sync.Mutex
	// proofs are the DPoP proofs that were used.
	proofs   *dpop.Replays
	sessions *sessions
	lending  memory
	// counted are the streams that are open, whatever policy they began by.
	counted *streams
	watched watched

	streams    context.Context
	endStreams context.CancelFunc
}

// New makes a Sidecar.
func New(o Options) *Sidecar {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sidecar{options: o, proofs: dpop.NewReplays(0, 0), sessions: newSessions(), counted: newStreams()}
	s.lending.large = semaphore.NewWeighted(largeBytes)
	s.streams, s.endStreams = context.WithCancel(context.Background())
	o.Metrics.watch(s)
	return s
}

// ServeHTTP takes a request through the steps, until one of them answers it.
func (s *Sidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Sidecar: s, w: w, r: r, started: s.options.Now()}
	defer x.end()
	for _, step := range [...]func(*exchange) *answer{
		(*exchange).enter,          // site.go
		(*exchange).route,          // route.go, metadata.go
		(*exchange).checkOrigin,    // origin.go
		(*exchange).checkMethod,    // route.go
		(*exchange).authenticate,   // authenticate.go
		(*exchange).limit,          // limit.go
		(*exchange).bindSession,    // session.go
		(*exchange).readMessages,   // messages.go
		(*exchange).compareHeaders, // messages.go
		(*exchange).authorize,      // authorize.go
		(*exchange).limitTools,     // limit.go
	} {
		if a := step(x); a != nil {
			x.reply(a)
			return
		}
	}
	x.forward() // proxy.go, identity.go, lists.go, lists_answer.go
}

// EndStreams ends the streams that wait for events and would hold up a graceful
// stop for ever; clients come back for them. Calls run on. It is meant for
// http.Server.RegisterOnShutdown.
func (s *Sidecar) EndStreams() { s.endStreams() }
