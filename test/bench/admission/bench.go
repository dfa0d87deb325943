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
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/hack/build/repository"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

const (
	// atOnce is how many pods are created at once where it is not one after another.
	atOnce = 8
	// bound is what the webhook may add at most, as the 99th percentile.
	bound = 10 * time.Millisecond
	// bucket is the bound of the API server's own histogram next to that.
	bucket = 5 * time.Millisecond
)

// bench is one run.
type bench struct {
	settings
	out        io.Writer
	repository string
	folder     string
	cluster    *cluster
	known      int
	report     report.Report
}

// prepare starts everything. The caller closes.
func prepare(ctx context.Context, s settings, out io.Writer) (_ *bench, err error) {
	b := &bench{settings: s, out: out}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.repository, err = repository.Root(ctx); err != nil {
		return nil, err
	}
	if b.folder, err = os.MkdirTemp("", "mcpauth-bench"); err != nil {
		return nil, err
	}
	if b.cluster, err = startCluster(ctx, b.repository); err != nil {
		return nil, err
	}
	if err := b.cluster.install(ctx, b.repository, s.servers); err != nil {
		return nil, err
	}
	if b.known, err = b.cluster.startWebhook(ctx, b.folder); err != nil {
		return nil, err
	}
	if b.known != s.servers {
		return nil, fmt.Errorf("the webhook knows %d MCPServers, not %d", b.known, s.servers)
	}
	return b, nil
}

func (b *bench) close() error {
	var err error
	if b.cluster != nil {
		err = b.cluster.stop()
	}
	if b.folder != "" {
		err = errors.Join(err, os.RemoveAll(b.folder))
	}
	return err
}

func (b *bench) run(ctx context.Context) error {
	b.report.Facts = []string{
		"Command: `" + strings.Join(append([]string{"bin/bench-admission"}, os.Args[1:]...), " ") + "` on " + time.Now().UTC().Format(time.DateOnly) + ".",
		"Machine: " + machine.CPU() + "; " + runtime.Version() + ". The API server, etcd, the webhook and this program share the cores.",
		fmt.Sprintf("Load: %d rounds of %d pods that ask and as many that do not, in turns; the webhook knows %s MCPServers.",
			b.rounds, b.pods, report.Count(float64(b.known))),
	}
	for _, workers := range []int{1, atOnce} {
		if err := b.measure(ctx, workers); err != nil {
			return err
		}
	}
	for _, note := range b.report.Notes {
		_, _ = fmt.Fprintln(b.out, note) // a terminal that went away
	}
	if b.document == "" {
		return nil
	}
	return report.Replace(b.path(), "bench-admission", b.report.Markdown())
}

func (b *bench) path() string {
	if filepath.IsAbs(b.document) {
		return b.document
	}
	return filepath.Join(b.repository, b.document)
}

// measure creates both kinds of pods in turns, so many at once.
func (b *bench) measure(ctx context.Context, workers int) error {
	var asked, plain []time.Duration
	var server atomic.Int64
	asking := func() (*corev1.Pod, bool) { return injectedPod(int(server.Add(7919)) % b.servers), true }
	other := func() (*corev1.Pod, bool) { return plainPod(), false }
	if _, err := b.cluster.load(ctx, b.pods, workers, asking); err != nil { // warms up
		return err
	}
	before, err := b.cluster.webhookCalls(ctx)
	if err != nil {
		return err
	}
	idle, err := b.cluster.readWork()
	if err != nil {
		return err
	}
	for range b.rounds {
		with, err := b.cluster.load(ctx, b.pods, workers, asking)
		if err != nil {
			return err
		}
		without, err := b.cluster.load(ctx, b.pods, workers, other)
		if err != nil {
			return err
		}
		asked, plain = append(asked, with...), append(plain, without...)
	}
	busy, err := b.cluster.readWork()
	if err != nil {
		return err
	}
	after, err := b.cluster.webhookCalls(ctx)
	if err != nil {
		return err
	}
	b.report.Notes = append(b.report.Notes, fmt.Sprintf("Cores, %s: %s.", pace(workers), busy.shares(idle, len(asked))))
	return b.tell(workers, asked, plain, after.since(before))
}

// pace words how many pods are created at once.
func pace(workers int) string {
	if workers == 1 {
		return "one after another"
	}
	return fmt.Sprintf("%d at once", workers)
}

func (b *bench) tell(workers int, asked, plain []time.Duration, webhook calls) error {
	// The API server calls again where another webhook changed the pod; none did here.
	if webhook.count != uint64(len(asked)) {
		return fmt.Errorf("the API server called the webhook %d times for %d pods", webhook.count, len(asked))
	}
	how := pace(workers)
	for _, share := range []float64{0.5, 0.99} {
		with, without := quantile(asked, share), quantile(plain, share)
		row := report.Row{
			Figure:   fmt.Sprintf("create a pod that asks, %s, p%.0f", how, 100*share),
			Measured: report.Time(with), Beside: report.Time(without) + " (one that does not)", Ratio: report.Ratio(float64(with) / float64(without)),
		}
		if share > 0.9 {
			row.Bound, row.Verdict = "≤ "+report.Time(bound)+" more", report.Held(with-without <= bound)
		}
		b.add(row)
	}
	b.add(report.Row{
		Figure:   "the webhook alone, as the API server counts, " + how,
		Measured: fmt.Sprintf("%s on average; %.2f %% within %s", report.Time(webhook.sum/time.Duration(webhook.count)), 100*float64(webhook.within[bucket])/float64(webhook.count), report.Time(bucket)),
	})
	return nil
}

func (b *bench) add(row report.Row) {
	row.Print(b.out)
	b.report.Rows = append(b.report.Rows, row)
}
