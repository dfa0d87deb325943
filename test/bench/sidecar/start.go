//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

const (
	// boundStart is from the start of the process to the first 200 on /readyz.
	boundStart = 50 * time.Millisecond
	// boundSize is that of the program, in bytes.
	boundSize = 20_000_000
)

// measureStart starts the sidecar again and again.
func (b *bench) measureStart(ctx context.Context) error {
	const title = "start to /readyz"
	var all []time.Duration
	for range b.starts {
		took, err := b.start(ctx, b.program)
		if err != nil {
			return err
		}
		all = append(all, took)
	}
	took := report.Median(all)
	row := report.Row{Figure: title, Measured: report.Time(took), Bound: "≤ " + report.Time(boundStart), Verdict: report.Held(took <= boundStart)}
	b.add(row)
	if err := b.addSize(); err != nil {
		return err
	}
	return b.explain(ctx, explained{
		title: title, verdicts: []report.Verdict{row.Verdict},
		load: func(ctx context.Context, _ *server, atLeast time.Duration, begin func() error) error {
			if err := begin(); err != nil {
				return err
			}
			for until := time.Now().Add(atLeast); time.Now().Before(until); {
				if _, err := b.start(ctx, b.symbols); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// start starts the program once, and says after what time it was ready.
func (b *bench) start(ctx context.Context, program string) (took time.Duration, err error) {
	s, err := b.launch(program)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return s.Answers(ctx, "http://"+s.health+"/readyz")
}

func (b *bench) addSize() error {
	program, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	size := program.Size()
	b.add(report.Row{
		Figure: "size of the program", Measured: fmt.Sprintf("%.1f MB", float64(size)/1e6),
		Bound: fmt.Sprintf("≤ %.0f MB", boundSize/1e6), Verdict: report.Held(size <= boundSize),
	})
	return nil
}
