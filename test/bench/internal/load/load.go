// Package load makes HTTP load at the least cost: the generator shares its cores
// with the server that it measures. Requests are bytes that were prepared before,
// and of an answer only the status, the length and the body are looked at.
package load

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Script is what one connection says. It is used by one goroutine.
type Script interface {
	// Next is the next request, whole, or nil when there is none left. It is valid
	// until the next call.
	Next() []byte
	// Answered reads the answer to it. The body is valid until Answered returns. An
	// error ends the run.
	Answered(status int, body []byte) error
}

// Result is what a run has measured.
type Result struct {
	// Elapsed is from the first request to the last answer.
	Elapsed time.Duration
	// latencies are ordered, and are as many as there were answers.
	latencies []time.Duration
}

// Requests is how many were answered.
func (r Result) Requests() int { return len(r.latencies) }

// PerSecond is how many were answered each second, 0 where there were none.
func (r Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(len(r.latencies)) / r.Elapsed.Seconds()
}

// Quantile is the latency within which the share q, between 0 and 1, of the
// requests were answered; zero where there were none.
func (r Result) Quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	at := int(q * float64(len(r.latencies)))
	return r.latencies[min(max(at, 0), len(r.latencies)-1)]
}

// grace bounds how long an answer may take that is awaited when the time is up.
const grace = 10 * time.Second

// Run opens a keep-alive connection for each script, lets all of them talk at once,
// for the duration or until they have nothing left to say, and closes them.
func Run(ctx context.Context, address string, duration time.Duration, scripts []Script) (Result, error) {
	connections, err := Dial(ctx, address, len(scripts))
	if err != nil {
		return Result{}, err
	}
	defer connections.Close()
	return connections.Run(ctx, duration, scripts)
}

// Connections are open keep-alive connections, for several runs one after another.
type Connections []*connection

// Dial opens n connections. Somebody has to close them.
func Dial(ctx context.Context, address string, n int) (Connections, error) {
	connections := make(Connections, 0, n)
	var dialer net.Dialer
	for range n {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			connections.Close()
			return nil, fmt.Errorf("connect: %w", err)
		}
		connections = append(connections, newConnection(conn))
	}
	return connections, nil
}

// Close closes all of them.
func (connections Connections) Close() {
	for _, c := range connections {
		_ = c.Close() // nothing is lost
	}
}

// Run lets each script talk on a connection of its own, all at once, for the duration
// or until they have nothing left to say. After an error the connections are of no
// more use.
func (connections Connections) Run(ctx context.Context, duration time.Duration, scripts []Script) (Result, error) {
	if len(scripts) > len(connections) {
		return Result{}, fmt.Errorf("there are %d connections for %d scripts", len(connections), len(scripts))
	}
	begin := time.Now()
	until := begin.Add(duration)
	runs := make([]run, len(scripts))
	var group sync.WaitGroup
	for i, script := range scripts {
		group.Go(func() { runs[i] = converse(ctx, connections[i], script, until) })
	}
	group.Wait()
	return gather(runs, begin)
}

// run is one connection's part.
type run struct {
	latencies []time.Duration
	last      time.Time
	err       error
}

func converse(ctx context.Context, c *connection, script Script, until time.Time) (r run) {
	if r.err = c.SetDeadline(until.Add(grace)); r.err != nil {
		return r
	}
	r.last = time.Now()
	for r.last.Before(until) && ctx.Err() == nil {
		request := script.Next()
		if request == nil {
			return r
		}
		sent := time.Now()
		status, body, err := c.exchange(request)
		if err == nil {
			r.last = time.Now()
			r.latencies = append(r.latencies, r.last.Sub(sent))
			err = script.Answered(status, body)
		}
		if err != nil {
			r.err = err
			return r
		}
	}
	r.err = ctx.Err()
	return r
}

func gather(runs []run, begin time.Time) (Result, error) {
	var result Result
	for _, r := range runs {
		if r.err != nil {
			return Result{}, r.err
		}
		result.latencies = append(result.latencies, r.latencies...)
		result.Elapsed = max(result.Elapsed, r.last.Sub(begin))
	}
	slices.Sort(result.latencies)
	return result, nil
}
