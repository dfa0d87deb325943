//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/hack/build/repository"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// bench is one run.
type bench struct {
	settings
	out        io.Writer
	repository string
	// folder is the run's own, and policy a file in it.
	folder, policy string
	// program is the sidecar as it is deployed, and symbols the same for profiles; empty
	// until one is asked for.
	program, symbols string
	// rings are keys, by algorithm.
	rings         map[keyring.Algorithm]*keyring.Ring
	guardian      *child.Guardian
	authorization *authorizationServer
	upstream      *mcpServer
	bare          *bareProxy
	sidecar       *server
	// known are requests with tokens that both sides have seen; nil until they have.
	known  [][]byte
	report report.Report
}

// part is a group of figures.
type part struct {
	name    string
	measure func(*bench, context.Context) error
}

// parts are in the order in which they are measured.
func parts() []part {
	return []part{
		{"generator", (*bench).measureGenerator},
		{"warm", (*bench).measureWarm},
		{"fresh", (*bench).measureFresh},
		{"events", (*bench).measureEvents},
		{"memory", (*bench).measureMemory},
		{"start", (*bench).measureStart},
	}
}

func partNames() string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// choose is all parts, or those named.
func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts(), nil
	}
	var chosen []part
	for _, p := range parts() {
		if slices.Contains(names, p.name) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) != len(names) {
		return nil, fmt.Errorf("--only %s: there is %s", strings.Join(names, ","), partNames())
	}
	return chosen, nil
}

// prepare builds the sidecar and starts everything. The caller closes.
func prepare(ctx context.Context, s settings, out io.Writer) (_ *bench, err error) {
	b := &bench{settings: s, out: out}
	if b.profiles != "" {
		b.profile = profileAlways
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.repository, err = repository.Root(ctx); err != nil {
		return nil, err
	}
	if b.folder, err = os.MkdirTemp(b.data, "mcpauth-bench"); err != nil {
		return nil, err
	}
	b.say("building the sidecar")
	if b.program, err = build(ctx, b.repository, b.folder, false); err != nil {
		return nil, err
	}
	if err := b.startAll(ctx); err != nil {
		return nil, err
	}
	b.report.Facts = []string{
		"Command: `" + strings.Join(append([]string{"bin/bench-sidecar"}, os.Args[1:]...), " ") + "` on " + time.Now().UTC().Format(time.DateOnly) +
			", at commit " + b.commit(ctx) + ".",
		"Machine: " + machine.CPU() + "; " + runtime.Version() + ".",
		fmt.Sprintf("Load: keep-alive connections from this program, which shares the cores, as does the MCP server behind; medians of %d rounds of %s, in turns with the bare proxy.",
			s.rounds, s.round),
	}
	return b, nil
}

// commit names what is measured.
func (b *bench) commit(ctx context.Context) string {
	cmd := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
	cmd.Dir = b.repository
	output, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(output))
}

func (b *bench) startAll(ctx context.Context) (err error) {
	if b.guardian, err = child.StartGuardian(ctx); err != nil {
		return err
	}
	b.rings = make(map[keyring.Algorithm]*keyring.Ring)
	for _, algorithm := range algorithms() {
		if b.rings[algorithm], err = keyring.New(algorithm, time.Now()); err != nil {
			return err
		}
	}
	if b.authorization, err = startAuthorizationServer(b.rings[keyring.RS256], b.rings[keyring.ES256], b.rings[keyring.EdDSA]); err != nil {
		return err
	}
	if b.upstream, err = startUpstream(ctx); err != nil {
		return err
	}
	if b.bare, err = startBare(ctx, b.upstream.bare); err != nil {
		return err
	}
	encoded, err := newPolicy(b.upstream.sidecar, b.authorization).Encode()
	if err != nil {
		return err
	}
	b.policy = filepath.Join(b.folder, "policy.json")
	if err := os.WriteFile(b.policy, encoded, 0o600); err != nil {
		return err
	}
	b.sidecar, err = b.serve(ctx, b.program)
	return err
}

// close stops everything that was started, and removes the folder.
func (b *bench) close() error {
	var failures []error
	if b.sidecar != nil {
		failures = append(failures, b.sidecar.Stop())
	}
	if b.bare != nil {
		failures = append(failures, b.bare.child.Stop())
	}
	if b.upstream != nil {
		failures = append(failures, b.upstream.child.Stop())
	}
	if b.authorization != nil {
		failures = append(failures, b.authorization.stop())
	}
	if b.guardian != nil {
		failures = append(failures, b.guardian.Stop())
	}
	if b.folder != "" {
		failures = append(failures, os.RemoveAll(b.folder))
	}
	return errors.Join(failures...)
}

// run measures the chosen parts and writes the document where they are all.
func (b *bench) run(ctx context.Context, chosen []part) error {
	for _, p := range chosen {
		b.say("measuring: " + p.name)
		if err := p.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, note := range b.report.Notes {
		_, _ = fmt.Fprintln(b.out, "*", note)
	}
	if len(chosen) < len(parts()) || b.document == "" {
		return nil
	}
	path := b.document
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.repository, path)
	}
	return report.Replace(path, "bench-sidecar", b.report.Markdown())
}

// say tells of progress, apart from the figures.
func (b *bench) say(what string) {
	fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().Format(time.TimeOnly), what)
}

// add takes a figure down and prints it.
func (b *bench) add(row report.Row) {
	b.report.Rows = append(b.report.Rows, row)
	row.Print(b.out)
}

// note takes an explanation down.
func (b *bench) note(format string, args ...any) {
	b.report.Notes = append(b.report.Notes, fmt.Sprintf(format, args...))
}
