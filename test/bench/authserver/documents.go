//go:build linux

package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// boundDocuments is the share of a bare handler's answers.
const boundDocuments = 0.80

// documentPaths are those of the sample resource's metadata and of the keys.
func documentPaths() []string {
	return []string{oauth.WellKnownServer + "/resources/" + string(resourceID), "/keys"}
}

func (b *bench) measureDocuments(ctx context.Context) (err error) {
	s, err := b.newSQLite()
	if err != nil {
		return err
	}
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		return err
	}
	if err := b.cluster.setRing(ctx, ring); err != nil {
		return err
	}
	p, err := b.serve(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	var all []document
	for _, path := range documentPaths() {
		d, err := fetch(ctx, b.issuer, path)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	bare, err := startHandler(ctx, all...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	return b.cluster.frozen(func() error {
		for _, path := range documentPaths() {
			if err := b.compareDocument(ctx, p, bare, path); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) compareDocument(ctx context.Context, p *server, bare *bareHandler, path string) error {
	w := sample.Workload{Name: path, Scripts: func(context.Context) ([]load.Script, error) {
		return scriptsOf(documents(b.address, path, b.connections)), nil
	}}
	var ours, theirs sample.Samples
	var ratios []float64
	for round := range b.rounds + 1 {
		our, err := sample.Take(ctx, p.target(), b.round, w)
		if err != nil {
			return err
		}
		their, err := sample.Take(ctx, bare.target(), b.round, w)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // which was to warm up
		}
		ours, theirs = append(ours, our), append(theirs, their)
		ratios = append(ratios, our.PerSecond()/their.PerSecond())
	}
	ratio := report.Median(ratios)
	b.add(report.Row{
		Figure: "GET " + path, Measured: ours.String(), Beside: report.Count(theirs.PerSecond()) + "/s (net/http that writes the same)",
		Ratio: report.Ratio(ratio), Bound: "≥ " + report.Ratio(boundDocuments), Verdict: report.Held(ratio >= boundDocuments),
	})
	return nil
}

// measureGenerator finds out what a request costs the generator, which shares the
// cores with everything that it measures.
func (b *bench) measureGenerator(ctx context.Context) (err error) {
	bare, err := startHandler(ctx, document{
		Path: "/token", Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, Body: make([]byte, 1024),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	w := sample.Workload{Name: "generator", Scripts: func(context.Context) ([]load.Script, error) {
		return scriptsOf(documents(bare.address, "/token", b.connections)), nil
	}}
	return b.cluster.frozen(func() error {
		taken, err := sample.Take(ctx, bare.target(), b.round, w)
		if err != nil {
			return err
		}
		b.add(report.Row{
			Figure: "load generator, against a bare handler", Measured: report.Time(taken.GeneratorCost) + " of a core a request",
			Beside: report.Count(taken.PerSecond()) + " requests/s",
		})
		return nil
	})
}
