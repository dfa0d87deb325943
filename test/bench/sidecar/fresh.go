//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// boundFresh is the share of the bare proxy's calls where every token is new.
const boundFresh = 0.55

// algorithms are those that tokens are signed with; the first one has the bound.
func algorithms() []keyring.Algorithm {
	return []keyring.Algorithm{keyring.RS256, keyring.ES256, keyring.EdDSA}
}

// measureFresh calls with a token that nobody has seen, on every request.
func (b *bench) measureFresh(ctx context.Context) error {
	for i, algorithm := range algorithms() {
		bound := 0.0
		if i == 0 {
			bound = boundFresh
		}
		if err := b.compareFresh(ctx, algorithm, bound); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
	}
	return nil
}

// compareFresh holds them against each other with the same requests. A bound of zero
// is none.
func (b *bench) compareFresh(ctx context.Context, algorithm keyring.Algorithm, bound float64) error {
	connections := slices.Min(b.connections)
	title := fmt.Sprintf("new %s tokens, %d connections", algorithm, connections)
	ring, n := b.rings[algorithm], b.fresh*(b.rounds+1)
	begun := time.Now()
	tokens, err := sign(ring, n)
	if err != nil {
		return err
	}
	b.note("%s: %s tokens, signed before (%s) within %s.", title, report.Count(float64(n)), ring.Active().Backend(), report.Time(time.Since(begun)))
	requests := prepared(tokens, call)
	r := b.newRace()
	r.duration = limit // a turn ends with its requests, so that both get the same
	err = r.run(ctx, title, func(round int) []load.Script {
		return callers(requests[round*b.fresh:(round+1)*b.fresh], connections, true)
	})
	if err != nil {
		return err
	}
	verdict := r.addSpeed(title, bound)
	r.noteCores(title)
	return b.explain(ctx, explained{
		title: title, verdicts: []report.Verdict{verdict},
		most: time.Duration(float64(n) / r.sidecar.taken.PerSecond() * float64(time.Second) * 3 / 4),
		// A sidecar of its own has seen none of them, and has the most that there are.
		load: func(ctx context.Context, s *server, atLeast time.Duration, begin func() error) error {
			_, err := sample.Take(ctx, s.target(b), atLeast, sample.Workload{
				Name: title, Begin: begin, Scripts: func(context.Context) ([]load.Script, error) { return callers(requests, connections, true), nil },
			})
			return err
		},
	})
}
