//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/hack/build/repository"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/process"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// bench is one run.
type bench struct {
	settings
	out        io.Writer
	repository string
	// folder is the run's own, on the disk that databases are measured on.
	folder  string
	program string
	// address and health are where the server under test listens, and issuer is its
	// URL.
	address, health, issuer string
	// secret is the agent's.
	secret   string
	guardian *child.Guardian
	cluster  *cluster
	postgres *postgrestest.Instance
	// goSignatures says what crypto/rsa signs on all cores; empty until it is known.
	goSignatures string
	report       report.Report
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
		{"rs256", (*bench).measureRS256},
		{"postgresql", (*bench).measurePostgreSQL},
		{"algorithms", (*bench).measureAlgorithms},
		{"documents", (*bench).measureDocuments},
		{"start", (*bench).measureStart},
		{"growth", (*bench).measureGrowth},
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

// prepare builds the server and starts what it needs. The caller closes.
func prepare(ctx context.Context, s settings, out io.Writer) (_ *bench, err error) {
	b := &bench{settings: s, out: out, secret: credential.NewSecret()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.find(ctx); err != nil {
		return nil, err
	}
	disk, err := machine.Disk(b.folder)
	if err != nil {
		return nil, err
	}
	if err := b.startAll(ctx); err != nil {
		return nil, err
	}
	database, err := b.postgresVersion(ctx)
	if err != nil {
		return nil, err
	}
	b.report.Facts = []string{
		"Command: `" + strings.Join(append([]string{"bin/bench-authserver"}, os.Args[1:]...), " ") + "` on " + time.Now().UTC().Format(time.DateOnly) + ".",
		"Machine: " + machine.CPU() + "; " + runtime.Version() + "; " + database + "; 4 KiB are durable on the disk within " + report.Time(disk) + ".",
		fmt.Sprintf("Load: %d keep-alive connections from this program, which shares the cores; medians of %d rounds of %s, in turns with what stands beside.",
			s.connections, s.rounds, s.round),
	}
	return b, nil
}

// find finds the checkout, a folder of the run's own and free addresses.
func (b *bench) find(ctx context.Context) (err error) {
	if b.repository, err = repository.Root(ctx); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp(b.data, "mcpauth-bench"); err != nil {
		return err
	}
	if err := os.Chmod(b.folder, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	if b.address, err = process.FreeAddress(); err != nil {
		return err
	}
	b.issuer = "http://" + b.address
	b.health, err = process.FreeAddress()
	return err
}

// startAll builds the server and starts everything around it.
func (b *bench) startAll(ctx context.Context) (err error) {
	b.say("building the server")
	if b.program, err = build(ctx, b.repository, b.folder); err != nil {
		return err
	}
	b.say("starting an API server and PostgreSQL")
	if b.guardian, err = child.StartGuardian(ctx); err != nil {
		return err
	}
	if b.cluster, err = startCluster(ctx, b.repository, b.folder, b.guardian); err != nil {
		return err
	}
	if err := b.cluster.install(ctx, b.issuer, b.secret); err != nil {
		return err
	}
	b.postgres, err = postgrestest.StartInstance(ctx, b.folder)
	return err
}

func (b *bench) postgresVersion(ctx context.Context) (string, error) {
	url, err := b.postgres.NewDatabase(ctx)
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is lost
	var version string
	if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return "", err
	}
	return "PostgreSQL " + version, nil
}

// close stops everything that was started, and removes the folder.
func (b *bench) close() error {
	var failures []error
	if b.postgres != nil {
		b.postgres.Stop()
	}
	if b.cluster != nil {
		failures = append(failures, b.cluster.stop())
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
	for _, p := range b.report.Profiles {
		_, _ = fmt.Fprintf(b.out, "\n%s:\n%s\n", p.Title, p.Text)
	}
	if len(chosen) < len(parts()) || b.document == "" {
		return nil
	}
	path := b.document
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.repository, path)
	}
	return report.Replace(path, "bench-authserver", b.report.Markdown())
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

// newSQLite is a storage with a database file of its own.
func (b *bench) newSQLite() (storage, error) {
	folder, err := os.MkdirTemp(b.folder, "sqlite")
	return storage{name: "SQLite", folder: folder}, err
}

// newPostgreSQL is a storage with a database of its own.
func (b *bench) newPostgreSQL(ctx context.Context) (storage, error) {
	url, err := b.postgres.NewDatabase(ctx)
	if err != nil {
		return storage{}, err
	}
	file, err := os.CreateTemp(b.folder, "url")
	if err != nil {
		return storage{}, err
	}
	_, err = file.WriteString(url)
	return storage{name: "PostgreSQL", url: url, urlFile: file.Name()}, errors.Join(err, file.Close())
}
