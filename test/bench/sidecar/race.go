//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// side is one of the two that take turns.
type side struct {
	target sample.Target
	// upstream is the address that it connects to.
	upstream string
	// before is called before each of its turns; nil does nothing.
	before func() error
	// check sees to it that a turn of so many calls did all of its work; nil checks
	// nothing. It is asked about the first turn, which is not counted.
	check func(ctx context.Context, calls int) error
	taken sample.Samples
	// dialed is how many connections it made to the MCP server while it was measured.
	dialed int
}

// race is the rounds of one load, the sidecar's and the bare proxy's.
type race struct {
	bench         *bench
	sidecar, bare *side
	// duration bounds a turn, which ends before where there is nothing left to say.
	duration time.Duration
}

func (b *bench) newRace() *race {
	return &race{
		bench: b, duration: b.round, bare: b.newBareSide(b.bare),
		sidecar: &side{target: b.sidecar.target(b), upstream: b.upstream.sidecar, before: b.sidecar.clear, check: b.sidecar.awaitAudit},
	}
}

func (b *bench) newBareSide(bare *bareProxy) *side {
	return &side{
		target:   sample.Target{Address: bare.address, PID: bare.child.PID(), Behind: b.upstream.child.PID()},
		upstream: b.upstream.bare,
	}
}

// run lets both take turns, once more than is counted, each on connections that stay.
func (r *race) run(ctx context.Context, name string, scripts func(round int) []load.Script) (err error) {
	for _, s := range []*side{r.sidecar, r.bare} {
		if s.target.Connections, err = load.Dial(ctx, s.target.Address, len(scripts(0))); err != nil {
			return err
		}
		defer s.target.Connections.Close()
	}
	for round := range r.bench.rounds + 1 {
		w := sample.Workload{Name: name, Scripts: func(context.Context) ([]load.Script, error) { return scripts(round), nil }}
		order := []*side{r.sidecar, r.bare}
		if round%2 == 1 {
			slices.Reverse(order) // to come second is no advantage
		}
		for _, s := range order {
			if err := r.turn(ctx, s, w, round > 0); err != nil {
				return err
			}
		}
		if round == 0 {
			if r.sidecar.check != nil {
				if err := r.sidecar.check(ctx, r.sidecar.taken[0].Requests()); err != nil {
					return err
				}
			}
			r.sidecar.taken, r.bare.taken = nil, nil
		}
	}
	return nil
}

func (r *race) turn(ctx context.Context, s *side, w sample.Workload, counted bool) error {
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	before, err := r.bench.upstream.accepted(s.upstream)
	if err != nil {
		return err
	}
	taken, err := sample.Take(ctx, s.target, r.duration, w)
	if err != nil {
		return err
	}
	after, err := r.bench.upstream.accepted(s.upstream)
	if err != nil {
		return err
	}
	if counted {
		s.dialed += after - before
	}
	s.taken = append(s.taken, taken)
	return nil
}

// auditPatience is how long events may stay in a buffer.
const auditPatience = 10 * time.Second

// awaitAudit sees to it that the log tells of every call: what is measured does all
// of its work.
func (s *server) awaitAudit(ctx context.Context, calls int) error {
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		told, err := s.audited()
		switch {
		case err != nil:
			return err
		case told == calls:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(begun) > auditPatience:
			return fmt.Errorf("the sidecar's log tells of %d calls after %s; there were %d", told, auditPatience, calls)
		}
	}
}

// ratio holds each round of the sidecar against the bare proxy's of the same.
func (r *race) ratio(pick func(sample.Sample) float64) float64 {
	var ratios []float64
	for i, taken := range r.sidecar.taken {
		ratios = append(ratios, pick(taken)/max(pick(r.bare.taken[i]), 1e-9))
	}
	return report.Median(ratios)
}

func speed(s sample.Sample) float64 { return s.PerSecond() }
func tail(s sample.Sample) float64  { return float64(s.Quantile(0.99)) }
func cost(s sample.Sample) float64  { return float64(s.Cost) }
