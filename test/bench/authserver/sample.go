//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// workload is something to ask the server under test for.
type workload struct {
	name string
	// scripts are for one run each.
	scripts func(ctx context.Context) ([]load.Script, error)
	// begin is called when they are made, just before they run; it may be nil.
	begin func() error
	// check holds what was answered against what should have been; nil holds nothing.
	check func() error
}

// sample is one run of a load and what the cores did meanwhile, each as a share of
// all that they can do.
type sample struct {
	load.Result
	server, generator, others, idle float64
}

// work is what processes have done so far.
type work struct {
	cores             machine.Time
	server, generator time.Duration
}

func readWork(server int) (w work, err error) {
	if w.cores, err = machine.Cores(); err != nil {
		return w, err
	}
	if w.server, err = machine.Process(server); err != nil {
		return w, err
	}
	w.generator, err = machine.Process(os.Getpid())
	return w, err
}

// sample runs the load once against a server, whose process has the id.
func (b *bench) sample(ctx context.Context, address string, pid int, w workload) (sample, error) {
	scripts, err := w.scripts(ctx)
	if err != nil {
		return sample{}, err
	}
	if w.begin != nil {
		if err := w.begin(); err != nil {
			return sample{}, err
		}
	}
	before, err := readWork(pid)
	if err != nil {
		return sample{}, err
	}
	result, err := load.Run(ctx, address, b.round, scripts)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", w.name, err)
	}
	after, err := readWork(pid)
	if err != nil {
		return sample{}, err
	}
	if w.check != nil {
		if err := w.check(); err != nil {
			return sample{}, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return newSample(result, before, after), nil
}

func newSample(result load.Result, before, after work) sample {
	did, idle := after.cores.Work-before.cores.Work, after.cores.Idle-before.cores.Idle
	all := float64(max(did+idle, 1))
	server, generator := after.server-before.server, after.generator-before.generator
	return sample{
		Result: result, server: float64(server) / all, generator: float64(generator) / all,
		others: float64(max(did-server-generator, 0)) / all, idle: float64(idle) / all,
	}
}

// samples are the rounds of one load.
type samples []sample

// of are the values that pick takes out of each.
func of[T any](all samples, pick func(sample) T) []T {
	values := make([]T, len(all))
	for i, one := range all {
		values[i] = pick(one)
	}
	return values
}

func (s samples) perSecond() float64 { return report.Median(of(s, sample.PerSecond)) }

func (s samples) quantile(q float64) time.Duration {
	return report.Median(of(s, func(one sample) time.Duration { return one.Quantile(q) }))
}

// tail is the ratio of the latencies p99 and p50.
func (s samples) tail() float64 {
	return report.Median(of(s, func(one sample) float64 {
		return float64(one.Quantile(0.99)) / float64(max(one.Quantile(0.5), 1))
	}))
}

// String says how many there were a second, and how long they took.
func (s samples) String() string {
	return fmt.Sprintf("%s/s, p50 %s, p99 %s", report.Count(s.perSecond()), report.Time(s.quantile(0.5)), report.Time(s.quantile(0.99)))
}

// cores says what the cores did, and what of it a request cost.
func (s samples) cores() string {
	share := func(pick func(sample) float64) string { return report.Percent(report.Median(of(s, pick))) }
	cost := func(pick func(sample) float64) string {
		return report.Time(report.Median(of(s, func(one sample) time.Duration { return one.cost(pick(one)) })))
	}
	server, generator := func(one sample) float64 { return one.server }, func(one sample) float64 { return one.generator }
	return fmt.Sprintf("server %s, generator %s, others %s, idle %s; of a core a request took the server %s and the generator %s",
		share(server), share(generator), share(func(one sample) float64 { return one.others }), share(func(one sample) float64 { return one.idle }),
		cost(server), cost(generator))
}

// cost is the time of a core that a request took, of a share of all cores.
func (s sample) cost(share float64) time.Duration {
	return time.Duration(share * float64(s.Elapsed) * float64(runtime.NumCPU()) / float64(max(s.Requests(), 1)))
}
