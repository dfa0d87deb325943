//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// The bounds on calls with tokens that were seen before, against the bare proxy.
const (
	boundSpeed = 1.0
	boundTail  = 1.2
	boundCost  = 1.0
)

// measureWarm calls with tokens that both sides know.
func (b *bench) measureWarm(ctx context.Context) error {
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	for _, connections := range b.connections {
		if err := b.compareWarm(ctx, connections); err != nil {
			return err
		}
	}
	return nil
}

// warmUp shows the tokens to both sides once, on twice as many connections as will be
// needed.
func (b *bench) warmUp(ctx context.Context) error {
	if b.known != nil {
		return nil
	}
	b.say(fmt.Sprintf("signing %s tokens", report.Count(float64(b.tokens))))
	tokens, err := sign(b.rings[keyring.RS256], b.tokens)
	if err != nil {
		return err
	}
	requests := prepared(tokens, call)
	for _, address := range []string{b.sidecar.address, b.bare.address} {
		if err := b.show(ctx, address, requests); err != nil {
			return err
		}
	}
	b.known = requests
	b.note("A request has %s bytes, %s of them the token and %s the body; its answer's body has %s.",
		report.Count(float64(len(requests[0]))), report.Count(float64(len(tokens[0]))), report.Count(float64(len(toolCall))), report.Count(float64(len(toolResult))))
	return nil
}

func (b *bench) compareWarm(ctx context.Context, connections int) error {
	r := b.newRace()
	title := fmt.Sprintf("known tokens, %d connections", connections)
	scripts := func(int) []load.Script { return callers(b.known, connections, false) }
	if err := r.run(ctx, title, scripts); err != nil {
		return err
	}
	verdicts := []report.Verdict{r.addSpeed(title, boundSpeed), r.addTail(title), r.addCost(title), r.addDialed(title)}
	r.noteCores(title)
	return b.explain(ctx, explained{
		title: title, verdicts: verdicts,
		load: func(ctx context.Context, s *server, atLeast time.Duration, begin func() error) error {
			if err := b.show(ctx, s.address, b.known); err != nil {
				return err
			}
			_, err := sample.Take(ctx, s.target(b), atLeast, sample.Workload{
				Name: title, Begin: begin, Scripts: func(context.Context) ([]load.Script, error) { return scripts(0), nil },
			})
			return err
		},
	})
}

func (r *race) addSpeed(title string, bound float64) report.Verdict {
	ratio := r.ratio(speed)
	row := report.Row{
		Figure: title, Measured: r.sidecar.taken.String(), Beside: r.bare.taken.String(), Ratio: report.Ratio(ratio),
	}
	if bound > 0 {
		row.Bound, row.Verdict = "≥ "+report.Ratio(bound), report.Held(ratio >= bound)
	}
	r.bench.add(row)
	return row.Verdict
}

func (r *race) addTail(title string) report.Verdict {
	ratio := r.ratio(tail)
	row := report.Row{
		Figure: title + ", p99", Measured: report.Time(r.sidecar.taken.Quantile(0.99)), Beside: report.Time(r.bare.taken.Quantile(0.99)),
		Ratio: report.Ratio(ratio), Bound: "≤ " + report.Ratio(boundTail), Verdict: report.Held(ratio <= boundTail),
	}
	r.bench.add(row)
	return row.Verdict
}

func (r *race) addCost(title string) report.Verdict {
	ratio := r.ratio(cost)
	row := report.Row{
		Figure: title + ", of a core a request", Measured: report.Time(r.sidecar.taken.Cost()), Beside: report.Time(r.bare.taken.Cost()),
		Ratio: report.Ratio(ratio), Bound: "≤ " + report.Ratio(boundCost), Verdict: report.Held(ratio <= boundCost),
	}
	r.bench.add(row)
	return row.Verdict
}

// addDialed is about connections to the MCP server that were made when there should
// have been enough.
func (r *race) addDialed(title string) report.Verdict {
	row := report.Row{
		Figure: title + ", new ones to the MCP server", Measured: fmt.Sprint(r.sidecar.dialed), Beside: fmt.Sprint(r.bare.dialed),
		Bound: "0", Verdict: report.Held(r.sidecar.dialed == 0),
	}
	r.bench.add(row)
	return row.Verdict
}

func (r *race) noteCores(title string) {
	r.bench.note("%s: %s. The bare proxy: %s.", title, r.sidecar.taken.Cores(), r.bare.taken.Cores())
}

// show makes each request once, which is not measured, on twice as many connections
// as are measured: that leaves enough to the MCP server.
func (b *bench) show(ctx context.Context, address string, requests [][]byte) error {
	var most int
	for _, n := range b.connections {
		most = max(most, n)
	}
	_, err := load.Run(ctx, address, limit, callers(requests, min(2*most, len(requests)), true))
	return err
}
