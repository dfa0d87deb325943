//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/profile"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// explained is a load that may need explaining.
type explained struct {
	title    string
	verdicts []report.Verdict
	// most is how long the load can last, where it cannot for ever; zero is for ever.
	most time.Duration
	// load runs it for at least so long against a sidecar of its own, which has symbols, and calls begin when
	// everything is ready.
	load func(ctx context.Context, s *server, atLeast time.Duration, begin func() error) error
}

const (
	// profiledRounds is how long a profile takes, in rounds: of a load that missed its
	// bound, and of one that somebody wants to see more of.
	profiledRounds       = 3
	profiledRoundsAlways = 10
	// perfStart is what perf may need before it sees something.
	perfStart = 500 * time.Millisecond
)

// profiled is how long a profile of the load takes.
func (b *bench) profiled(e explained) time.Duration {
	duration := profiledRounds * b.round
	if b.profile == profileAlways {
		duration = profiledRoundsAlways * b.round
	}
	if e.most > 0 {
		duration = min(duration, e.most)
	}
	return duration
}

// explain profiles a load where a bound was missed, and where profiles are wanted
// anyway.
func (b *bench) explain(ctx context.Context, e explained) (err error) {
	missed := slices.Contains(e.verdicts, report.Missed)
	if !b.explains(missed) {
		return nil
	}
	if err := profile.Check(); err != nil {
		b.note("%s: %v", e.title, err)
		return nil
	}
	s, err := b.serveWithSymbols(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	o := profile.Options{Path: filepath.Join(b.folder, "perf.data"), Duration: b.profiled(e), Process: s.Name, Own: b.profile == profileAlways, Relative: true}
	if b.profiles != "" {
		o.Path = filepath.Join(b.profiles, profile.FileName(e.title))
	}
	text, err := o.Of(ctx, func(begin func() error) error {
		return e.load(ctx, s, o.Duration+perfStart, begin)
	})
	if errors.Is(err, profile.ErrNone) {
		b.note("%s: %v", e.title, err)
		return nil
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(b.out, "\n%s:\n%s\n", e.title, text)
	if missed {
		b.report.Profiles = append(b.report.Profiles, report.Profile{Title: e.title + ", where the cores were", Text: text})
	}
	if b.profiles == "" {
		return o.Remove()
	}
	return nil
}

// Which loads are profiled.
const (
	profileMissed = "missed"
	profileAlways = "always"
	profileNever  = "never"
)

// explains says whether what did or did not miss a bound is explained.
func (b *bench) explains(missed bool) bool {
	return b.profile == profileAlways || missed && b.profile == profileMissed
}

// serveWithSymbols starts a second sidecar, whose functions have names.
func (b *bench) serveWithSymbols(ctx context.Context) (*server, error) {
	if b.symbols == "" {
		folder := filepath.Join(b.folder, "symbols")
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, err
		}
		program, err := build(ctx, b.repository, folder, true)
		if err != nil {
			return nil, err
		}
		b.symbols = program
	}
	return b.serve(ctx, b.symbols)
}
