//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// measureGenerator finds out what a request costs the generator, which shares the
// cores with everything that it measures.
func (b *bench) measureGenerator(ctx context.Context) error {
	tokens, err := sign(b.rings[keyring.EdDSA], b.connections[0])
	if err != nil {
		return err
	}
	requests := prepared(tokens, call)
	taken, err := sample.Take(ctx, sample.Target{Address: b.upstream.bare, PID: b.upstream.child.PID()}, b.round, sample.Workload{
		Name: "generator", Scripts: func(context.Context) ([]load.Script, error) { return callers(requests, b.connections[0], false), nil },
	})
	if err != nil {
		return err
	}
	b.add(report.Row{
		Figure: "load generator, against the MCP server itself", Measured: report.Time(taken.GeneratorCost) + " of a core a request",
		Beside: fmt.Sprintf("%s requests/s, %s of a core each", report.Count(taken.PerSecond()), report.Time(taken.Cost)),
	})
	return b.measureNoise(ctx, requests)
}

// measureNoise lets two bare proxies take turns. What their ratios are off one is the
// machine's doing, also in the figures below.
func (b *bench) measureNoise(ctx context.Context, requests [][]byte) (err error) {
	second, err := startBare(ctx, b.upstream.bare)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, second.child.Stop()) }()
	r := b.newRace()
	r.sidecar = b.newBareSide(second)
	title := fmt.Sprintf("a second bare proxy, %d connections", b.connections[0])
	if err := r.run(ctx, title, func(int) []load.Script { return callers(requests, b.connections[0], false) }); err != nil {
		return err
	}
	r.addSpeed(title, 0)
	b.note("%s, which should not differ from the first: of p99 the ratio is %s, and of the time of a core %s.",
		title, report.Ratio(r.ratio(tail)), report.Ratio(r.ratio(cost)))
	return nil
}
