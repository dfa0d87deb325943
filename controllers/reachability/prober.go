package reachability

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
)

const (
	// workers bounds how many ports are tried at once. Most of them wait for an
	// answer that does not come.
	workers = 64
	// maxTargets bounds how many ports are remembered, over all servers.
	maxTargets = 100_000
	// An answer is believed for firstTrust, twice as long each time it is the same
	// again, and at most mostTrust: an app may begin to listen a while after its pod
	// runs, and a policy take a while until it is enforced.
	firstTrust = 2 * time.Second
	mostTrust  = 10 * time.Minute
)

// Prober tries ports in the background and remembers the answers. Make it with
// NewProber; it is safe for concurrent use.
type Prober struct {
	dial  func(context.Context, netip.AddrPort) error
	room  int
	queue workqueue.TypedDelayingInterface[attempt]

	mu      sync.Mutex
	servers map[types.NamespacedName]map[port]*memory
	count   int
}

// port is a port of one pod, wherever its server asks from.
type port struct {
	pod     types.UID
	address netip.AddrPort
}

// attempt is what the queue holds.
type attempt struct {
	server types.NamespacedName
	port   port
}

// memory is what is known of a port.
type memory struct {
	state  string
	answer Answer
	trust  time.Duration
}

// last is the answer so far.
func (m *memory) last() Answer {
	if m == nil {
		return Untried
	}
	return m.answer
}

// NewProber returns a Prober that connects with dial, which must give up when its
// context ends; nil means Connect.
func NewProber(dial func(context.Context, netip.AddrPort) error) *Prober {
	if dial == nil {
		dial = Connect
	}
	return &Prober{
		dial: dial, room: maxTargets,
		queue:   workqueue.NewTypedDelayingQueue[attempt](),
		servers: make(map[types.NamespacedName]map[port]*memory),
	}
}

// Ask returns what is known of the targets, by pod, and has tried what is not. The
// targets are all that the server has: what it asked for before and not now is
// forgotten. It does not wait for the network.
func (p *Prober) Ask(server types.NamespacedName, targets []Target) map[types.UID]Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.servers[server]
	now := make(map[port]*memory, len(targets))
	answers := make(map[types.UID]Answer, len(targets))
	p.count -= len(before)
	for _, t := range targets {
		key := port{t.Pod, t.Address}
		known := before[key]
		if known == nil && p.count+len(now) >= p.room {
			answers[t.Pod] = Unheeded
			continue
		}
		if known == nil || known.state != t.State {
			known = &memory{state: t.State, answer: known.last()}
			p.queue.Add(attempt{server, key})
		}
		now[key] = known
		answers[t.Pod] = known.answer
	}
	p.count += len(now)
	p.servers[server] = now
	if len(now) == 0 {
		delete(p.servers, server)
	}
	return answers
}

// Run tries what is asked for until ctx ends, and calls changed with a server about
// one of whose pods an answer has come that is not the one before. It is for one
// caller, once.
func (p *Prober) Run(ctx context.Context, changed func(server types.NamespacedName)) {
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for p.next(ctx, changed) {
			}
		})
	}
	<-ctx.Done()
	p.queue.ShutDown()
	running.Wait()
}

// next makes one attempt, and reports false when there will be no more.
func (p *Prober) next(ctx context.Context, changed func(types.NamespacedName)) bool {
	a, ended := p.queue.Get()
	if ended {
		return false
	}
	defer p.queue.Done(a)
	if !p.wanted(a) || ctx.Err() != nil {
		return true
	}
	bounded, cancel := context.WithTimeout(ctx, dialTimeout)
	err := p.dial(bounded, a.port.address)
	cancel()
	if ctx.Err() != nil {
		return false // the end of the process is no answer
	}
	if p.learn(a, answerTo(err)) {
		changed(a.server)
	}
	return true
}

func (p *Prober) wanted(a attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.servers[a.server][a.port] != nil
}

// learn remembers an answer, has it checked again later, and reports whether it is
// new.
func (p *Prober) learn(a attempt, answer Answer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.servers[a.server][a.port]
	if known == nil {
		return false // nobody asks for it any more
	}
	fresh := known.answer != answer
	known.answer = answer
	known.trust = min(2*known.trust, mostTrust)
	if fresh || known.trust == 0 {
		known.trust = firstTrust
	}
	p.queue.AddAfter(a, known.trust)
	return fresh
}
