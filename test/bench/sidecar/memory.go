//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// The bounds on memory, in KiB.
const (
	boundIdle   = 15 << 10
	boundStream = 40
	// openers is how many streams are opened at once.
	openers = 16
)

func mib(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

// measureMemory looks at processes that have just been started, since what one holds
// depends on what it has done: without a request, and with many streams.
func (b *bench) measureMemory(ctx context.Context) (err error) {
	followers := b.authorization.followers.Load()
	s, err := b.serve(ctx, b.program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	bare, err := startBare(ctx, b.upstream.bare)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.child.Stop()) }()
	if err := b.wait(ctx); err != nil {
		return err
	}
	if err := b.addIdle(s.PID()); err != nil {
		return err
	}
	if b.authorization.followers.Load() == followers {
		b.note("resident memory, idle: the sidecar has not asked for the feed of revocations; following it will take more.")
	}
	return b.compareStreams(ctx, s, bare)
}

func (b *bench) wait(ctx context.Context) error {
	select {
	case <-time.After(b.settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *bench) addIdle(pid int) error {
	const title = "resident memory, idle"
	own, files, err := machine.Resident(pid)
	if err != nil {
		return err
	}
	row := report.Row{
		Figure: title, Measured: mib(own + files), Beside: mib(files) + " of it are files, the program's above all",
		Bound: "≤ " + mib(boundIdle), Verdict: report.Held(own+files <= boundIdle),
	}
	b.add(row)
	if !b.explains(row.Verdict == report.Missed) {
		return nil
	}
	held, err := mappings(pid)
	if err != nil {
		return err
	}
	b.explainMemory(title, row.Verdict, held)
	return nil
}

func (b *bench) compareStreams(ctx context.Context, s *server, bare *bareProxy) error {
	const title = "resident memory, an open stream"
	tokens, err := sign(b.rings[keyring.RS256], b.streams)
	if err != nil {
		return err
	}
	requests := prepared(tokens, listen)
	sidecar, err := b.perStream(ctx, s.address, s.PID(), requests)
	if err != nil {
		return err
	}
	beside, err := b.perStream(ctx, bare.address, bare.child.PID(), requests)
	if err != nil {
		return err
	}
	kib := func(n float64) string { return fmt.Sprintf("%.1f KiB", n) }
	row := report.Row{
		Figure: title, Measured: fmt.Sprintf("%s, of %s", kib(sidecar), report.Count(float64(b.streams))), Beside: kib(beside),
		Ratio: report.Ratio(sidecar / beside), Bound: "≤ " + kib(boundStream), Verdict: report.Held(sidecar <= boundStream),
	}
	b.add(row)
	return b.explainStreams(ctx, title, row.Verdict, requests)
}

// perStream is what a process holds more for each stream, in KiB, while all are open.
func (b *bench) perStream(ctx context.Context, address string, pid int, requests [][]byte) (float64, error) {
	before, err := resident(pid)
	if err != nil {
		return 0, err
	}
	var after int
	err = b.withStreams(ctx, address, requests, func() (err error) {
		after, err = resident(pid)
		return err
	})
	return float64(after-before) / float64(len(requests)), err
}

// withStreams calls look when all streams are open and have settled, and closes them.
func (b *bench) withStreams(ctx context.Context, address string, requests [][]byte, look func() error) error {
	streams, err := openAll(ctx, address, requests)
	defer func() {
		for _, s := range streams {
			if s != nil {
				_ = s.Close() // it may have ended
			}
		}
	}()
	if err == nil {
		err = b.wait(ctx)
	}
	if err != nil {
		return err
	}
	return look()
}

func resident(pid int) (kib int, err error) {
	own, files, err := machine.Resident(pid)
	return own + files, err
}

// openAll opens a stream for each request, and returns those that are open also after
// an error.
func openAll(ctx context.Context, address string, requests [][]byte) ([]*stream, error) {
	streams := make([]*stream, len(requests))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openers)
	for i, request := range requests {
		group.Go(func() (err error) {
			streams[i], err = open(ctx, address, request)
			return err
		})
	}
	return streams, group.Wait()
}
