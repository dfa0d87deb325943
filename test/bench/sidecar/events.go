//go:build linux

package main

import (
	"context"
	"errors"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

const (
	// boundEvent is how much longer the first event may take than through the bare proxy.
	boundEvent = 1.2
	// rest is between two streams: what ends one must not slow the next one down.
	rest = 2 * time.Millisecond
)

// measureEvents times the first event of streams, one after another, in turns.
func (b *bench) measureEvents(ctx context.Context) error {
	const title = "first event of a stream"
	tokens, err := sign(b.rings[keyring.RS256], min(b.events, b.tokens))
	if err != nil {
		return err
	}
	requests := prepared(tokens, listen)
	addresses := []string{b.sidecar.address, b.bare.address}
	for _, address := range addresses { // which makes the tokens known
		if err := b.timeEvents(ctx, address, requests, nil); err != nil {
			return err
		}
	}
	first := make([][]time.Duration, len(addresses))
	for i := range b.events {
		for side, address := range addresses {
			if err := b.timeEvents(ctx, address, requests[i%len(requests):][:1], &first[side]); err != nil {
				return err
			}
		}
	}
	sidecar, bare := report.Median(first[0]), report.Median(first[1])
	ratio := float64(sidecar) / float64(max(bare, 1))
	row := report.Row{
		Figure: title, Measured: report.Time(sidecar), Beside: report.Time(bare),
		Ratio: report.Ratio(ratio), Bound: "≤ " + report.Ratio(boundEvent), Verdict: report.Held(ratio <= boundEvent),
	}
	b.add(row)
	return b.explain(ctx, explained{
		title: title, verdicts: []report.Verdict{row.Verdict},
		load: func(ctx context.Context, s *server, atLeast time.Duration, begin func() error) error {
			if err := errors.Join(b.timeEvents(ctx, s.address, requests, nil), begin()); err != nil {
				return err
			}
			for until := time.Now().Add(atLeast); time.Now().Before(until); {
				if err := b.timeEvents(ctx, s.address, requests, nil); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// timeEvents opens a stream for each request, one after another, and adds how long
// their first events took. Nil adds nothing.
func (b *bench) timeEvents(ctx context.Context, address string, requests [][]byte, took *[]time.Duration) error {
	for _, request := range requests {
		s, err := open(ctx, address, request)
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		if took != nil {
			*took = append(*took, s.first)
		}
		time.Sleep(rest)
	}
	return nil
}
