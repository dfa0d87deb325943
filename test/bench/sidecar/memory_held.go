//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// explainMemory tells what is held.
func (b *bench) explainMemory(title string, verdict report.Verdict, held string) {
	_, _ = fmt.Fprintf(b.out, "\n%s, what is held:\n%s\n", title, held)
	if verdict == report.Missed {
		b.report.Profiles = append(b.report.Profiles, report.Profile{Title: title + ", what is held", Text: held})
	}
}

// explainStreams looks again, at a sidecar of which Go's garbage collector tells what
// it finds: what lives in the heap, and what the stacks take.
func (b *bench) explainStreams(ctx context.Context, title string, verdict report.Verdict, requests [][]byte) (err error) {
	if !b.explains(verdict == report.Missed) {
		return nil
	}
	s, err := b.serve(ctx, b.program, "GODEBUG=gctrace=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return b.withStreams(ctx, s.address, requests, func() error {
		held, err := mappings(s.PID())
		if err != nil {
			return err
		}
		log, err := os.ReadFile(s.Log())
		if err != nil {
			return err
		}
		b.explainMemory(title, verdict, held+lastCollection(log))
		return nil
	})
}

// lastCollection is the last line that GODEBUG=gctrace=1 has written.
func lastCollection(log []byte) string {
	last := "there has been no garbage collection yet"
	for line := range bytes.Lines(log) {
		if bytes.HasPrefix(line, []byte("gc ")) {
			last = string(bytes.TrimSpace(line))
		}
	}
	return last + "\n"
}

// mappings are the largest of a process.
func mappings(pid int) (string, error) {
	held, err := machine.Mappings(pid)
	if err != nil {
		return "", err
	}
	slices.SortFunc(held, func(a, b machine.Mapping) int { return b.Resident - a.Resident })
	var text string
	for _, m := range held[:min(len(held), 6)] {
		text += fmt.Sprintf("%10s  %s\n", mib(m.Resident), m.Name)
	}
	return text, nil
}
