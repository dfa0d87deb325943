package reachability

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

var todo, notes = types.NamespacedName{Namespace: "apps", Name: "todo"}, types.NamespacedName{Namespace: "apps", Name: "notes"}

func target(i int) Target {
	address := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	return Target{Pod: types.UID(fmt.Sprint("pod-", i)), Address: netip.AddrPortFrom(address, appPort), State: "as it was"}
}

// cluster answers connections and writes down when they came.
type cluster struct {
	mu     sync.Mutex
	answer error
	at     map[netip.AddrPort][]time.Time
	most   int
	now    int
	takes  time.Duration
}

func (c *cluster) dial(ctx context.Context, address netip.AddrPort) error {
	c.mu.Lock()
	if c.at == nil {
		c.at = make(map[netip.AddrPort][]time.Time)
	}
	c.at[address] = append(c.at[address], time.Now())
	c.now++
	c.most = max(c.most, c.now)
	answer := c.answer
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.now--; c.mu.Unlock() }()
	select {
	case <-time.After(c.takes):
		return answer
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *cluster) becomes(answer error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// tries are how long after the first one the port was tried.
func (c *cluster) tries(t Target) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var after []time.Duration
	for _, at := range c.at[t.Address] {
		after = append(after, at.Sub(c.at[t.Address][0]))
	}
	return after
}

// news counts what a prober says of servers.
type news struct {
	mu    sync.Mutex
	about map[types.NamespacedName]int
}

func (n *news) changed(server types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.about == nil {
		n.about = make(map[types.NamespacedName]int)
	}
	n.about[server]++
}

func (n *news) count(server types.NamespacedName) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.about[server]
}

// probing runs a prober in a bubble whose clock is its own, until the test ends.
func probing(t *testing.T, c *cluster, test func(*Prober, *news)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, n := NewProber(c.dial), &news{}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { p.Run(ctx, n.changed) })
		test(p, n)
		stop()
		running.Wait()
	})
}

func one(p *Prober, t Target) Answer { return p.Ask(todo, []Target{t})[t.Pod] }

func TestAProberSaysWhenAnAnswerComes(t *testing.T) {
	c := &cluster{}
	probing(t, c, func(p *Prober, n *news) {
		if got := one(p, target(1)); got != Untried {
			t.Errorf("before the first try: %v, want Untried", got)
		}
		synctest.Wait()
		if got := one(p, target(1)); got != Open || n.count(todo) != 1 {
			t.Errorf("after it: %v, told %d times; want Open, told once", got, n.count(todo))
		}
		one(p, target(1))
		synctest.Wait()
		if tries := c.tries(target(1)); len(tries) != 1 {
			t.Errorf("the port was tried after %v; whoever asks again reads what is known", tries)
		}
	})
}

func TestAProberAsksAgainEverMoreRarely(t *testing.T) {
	c := &cluster{answer: syscall.ECONNREFUSED}
	probing(t, c, func(p *Prober, n *news) {
		one(p, target(1))
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		var want []time.Duration
		for at, trust := time.Duration(0), firstTrust; at <= 50*time.Minute; trust = min(2*trust, mostTrust) {
			want = append(want, at)
			at += trust
		}
		if diff := cmp.Diff(want, c.tries(target(1))); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		if n.count(todo) != 1 {
			t.Errorf("told %d times of one answer", n.count(todo))
		}
	})
}

func TestAProberNoticesThatAnAnswerChanges(t *testing.T) {
	c := &cluster{answer: syscall.ECONNREFUSED}
	probing(t, c, func(p *Prober, n *news) {
		one(p, target(1))
		time.Sleep(time.Hour)
		c.becomes(nil)
		for waited := time.Duration(0); n.count(todo) < 2 && waited <= mostTrust; waited += time.Second {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if got := one(p, target(1)); got != Open || n.count(todo) != 2 {
			t.Errorf("%v, told %d times; want Open, told twice", got, n.count(todo))
		}
		before := len(c.tries(target(1)))
		time.Sleep(firstTrust)
		synctest.Wait()
		if after := len(c.tries(target(1))); after <= before {
			t.Error("an answer that has just changed is not checked again soon")
		}
	})
}

func TestAProberTriesAgainAtOnceWhenTheStateIsAnother(t *testing.T) {
	c := &cluster{answer: context.DeadlineExceeded}
	probing(t, c, func(p *Prober, _ *news) {
		one(p, target(1))
		time.Sleep(time.Hour)
		synctest.Wait()
		before := len(c.tries(target(1)))
		c.becomes(nil)
		changed := target(1)
		changed.State = "another"
		if got := one(p, changed); got != Silent {
			t.Errorf("meanwhile: %v, want what was known", got)
		}
		synctest.Wait()
		if got := one(p, changed); got != Open || len(c.tries(target(1))) != before+1 {
			t.Errorf("%v after %d further tries; want Open after one", got, len(c.tries(target(1)))-before)
		}
	})
}

func TestAProberForgetsWhatNobodyAsksFor(t *testing.T) {
	c := &cluster{}
	probing(t, c, func(p *Prober, _ *news) {
		p.Ask(todo, []Target{target(1), target(2)})
		p.Ask(notes, []Target{target(3)})
		synctest.Wait()
		p.Ask(todo, []Target{target(2)})
		p.Ask(notes, nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, want := range map[int]bool{1: false, 2: true, 3: false} {
			if again := len(c.tries(target(i))) > 1; again != want {
				t.Errorf("pod %d is tried again: %v, want %v", i, again, want)
			}
		}
		if p.count != 1 || len(p.servers) != 1 {
			t.Errorf("%d ports of %d servers are remembered, want 1 of 1", p.count, len(p.servers))
		}
		if got := p.Ask(todo, []Target{target(1)})[target(1).Pod]; got != Untried {
			t.Errorf("what was forgotten: %v, want Untried", got)
		}
	})
}

func TestAPodWithANewAddressIsAnother(t *testing.T) {
	c := &cluster{}
	probing(t, c, func(p *Prober, _ *news) {
		one(p, target(1))
		synctest.Wait()
		moved := target(1)
		moved.Address = target(9).Address
		if got := one(p, moved); got != Untried {
			t.Errorf("the pod at its new address: %v, want Untried", got)
		}
	})
}

func TestAProberTriesAFewPortsAtOnceForAShortTimeEach(t *testing.T) {
	c := &cluster{takes: time.Hour}
	probing(t, c, func(p *Prober, _ *news) {
		var all []Target
		for i := range 10 * workers {
			all = append(all, target(i))
		}
		p.Ask(todo, all)
		time.Sleep(10*dialTimeout + time.Millisecond)
		synctest.Wait()
		if c.most != workers {
			t.Errorf("%d ports were tried at once, want %d", c.most, workers)
		}
		for pod, answer := range p.Ask(todo, all) {
			if answer != Silent {
				t.Errorf("%s: %v, want Silent", pod, answer)
			}
		}
	})
}

func TestAProberHasRoomForSoMany(t *testing.T) {
	c := &cluster{}
	probing(t, c, func(p *Prober, _ *news) {
		p.room = 2
		p.Ask(todo, []Target{target(1)})
		answers := p.Ask(notes, []Target{target(2), target(3)})
		if answers[target(3).Pod] != Unheeded || answers[target(2).Pod] != Untried {
			t.Errorf("answers are %v", answers)
		}
		synctest.Wait()
		if tries := c.tries(target(3)); len(tries) != 0 {
			t.Error("what there is no room for is tried")
		}
		p.Ask(todo, nil)
		if answers = p.Ask(notes, []Target{target(2), target(3)}); answers[target(2).Pod] != Open || answers[target(3).Pod] != Untried {
			t.Errorf("with room again: %v", answers)
		}
	})
}

func TestTheEndOfAProberIsNoAnswer(t *testing.T) {
	c := &cluster{takes: time.Hour}
	probing(t, c, func(p *Prober, n *news) {
		one(p, target(1))
		synctest.Wait() // it is being tried
		t.Cleanup(func() {
			if got := n.count(todo); got != 0 {
				t.Errorf("told %d times while it ends", got)
			}
		})
	})
}

func TestAProberTriesRealPorts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	open := Target{Pod: "open", Address: listener.Addr().(*net.TCPAddr).AddrPort()}
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := Target{Pod: "closed", Address: gone.Addr().(*net.TCPAddr).AddrPort()}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	p := NewProber(nil)
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan types.NamespacedName, 2)
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx, func(server types.NamespacedName) { told <- server }) })
	defer func() { stop(); running.Wait() }()
	p.Ask(todo, []Target{open, closed})
	for range 2 {
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Fatal("waited 10s to be told of two ports")
		}
	}
	want := map[types.UID]Answer{"open": Open, "closed": Refused}
	if diff := cmp.Diff(want, p.Ask(todo, []Target{open, closed})); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}
