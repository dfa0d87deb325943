//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

const (
	// boundStart is from the start of the process to the first good answer.
	boundStart = 150 * time.Millisecond
	// boundResident is what an idle server holds, in KiB, and idleFor how long after
	// its start that is looked at.
	boundResident = 35 << 10
	idleFor       = 10 * time.Second
)

// measureStart starts the server again and again, with a database that is there.
func (b *bench) measureStart(ctx context.Context) error {
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
	var lives, serves []time.Duration
	for round := range b.rounds + 1 {
		lived, served, err := b.start(ctx, s)
		if err != nil {
			return err
		}
		if round == 0 {
			b.note("The first start of all, which makes the database: it lived after %s and served after %s.", report.Time(lived), report.Time(served))
			continue
		}
		lives, serves = append(lives, lived), append(serves, served)
	}
	b.addStart("start to /healthz", report.Median(lives))
	b.addStart("start to the discovery document", report.Median(serves))
	return b.measureResident(ctx, s)
}

func (b *bench) addStart(figure string, took time.Duration) {
	b.add(report.Row{
		Figure: figure, Measured: report.Time(took), Bound: "≤ " + report.Time(boundStart), Verdict: report.Held(took <= boundStart),
	})
}

// start starts the server once and says after what time it lived and served.
func (b *bench) start(ctx context.Context, s storage) (lived, served time.Duration, err error) {
	p, err := b.launch(s)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		lived, err = p.Answers(ctx, b.issuer+"/healthz")
		return err
	})
	group.Go(func() (err error) {
		served, err = p.Answers(ctx, b.issuer+oauth.WellKnownServer+"/resources/"+string(resourceID))
		return err
	})
	return lived, served, group.Wait()
}

func (b *bench) measureResident(ctx context.Context, s storage) (err error) {
	p, err := b.serve(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	select {
	case <-time.After(idleFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	own, files, err := machine.Resident(p.PID())
	if err != nil {
		return err
	}
	mib := func(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }
	b.add(report.Row{
		Figure: "resident memory, idle", Measured: mib(own + files), Beside: mib(files) + " of it are files, the program's above all",
		Bound: "≤ " + mib(boundResident), Verdict: report.Held(own+files <= boundResident),
	})
	return nil
}
