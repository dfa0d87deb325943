//go:build linux

package sample

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/load"
	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
)

// Target is what is measured.
type Target struct {
	// Address is its host:port.
	Address string
	// PID is its process, and Behind one that it calls on; 0 where there is none.
	PID, Behind int
	// Connections are used where there are any; else every run has its own.
	Connections load.Connections
}

// run lets the scripts talk to the target.
func (t Target) run(ctx context.Context, duration time.Duration, scripts []load.Script) (load.Result, error) {
	if t.Connections == nil {
		return load.Run(ctx, t.Address, duration, scripts)
	}
	return t.Connections.Run(ctx, duration, scripts)
}

// Workload is something to ask a target for.
type Workload struct {
	Name string
	// Scripts are for one run each.
	Scripts func(ctx context.Context) ([]load.Script, error)
	// Begin is called when they are made, just before they run; it may be nil.
	Begin func() error
	// Check holds what was answered against what should have been; nil holds nothing.
	Check func() error
}

// Sample is one run of a load and what the cores did meanwhile.
type Sample struct {
	load.Result
	// Shares are of all that the cores could do.
	Server, Behind, Generator, Others, Idle float64
	// Cost is the time of a core that a request took the server, and GeneratorCost the
	// generator.
	Cost, GeneratorCost time.Duration
}

// Take runs the load once.
func Take(ctx context.Context, target Target, duration time.Duration, w Workload) (Sample, error) {
	scripts, err := w.Scripts(ctx)
	if err != nil {
		return Sample{}, err
	}
	if w.Begin != nil {
		if err := w.Begin(); err != nil {
			return Sample{}, err
		}
	}
	before, err := readWork(target)
	if err != nil {
		return Sample{}, err
	}
	result, err := target.run(ctx, duration, scripts)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", w.Name, err)
	}
	after, err := readWork(target)
	if err != nil {
		return Sample{}, err
	}
	if w.Check != nil {
		if err := w.Check(); err != nil {
			return Sample{}, fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	return newSample(result, before, after), nil
}

// work is what processes have done so far.
type work struct {
	at                        time.Time
	cores                     machine.Time
	server, behind, generator time.Duration
}

func readWork(target Target) (w work, err error) {
	w.at = time.Now()
	if w.cores, err = machine.Cores(); err != nil {
		return w, err
	}
	if w.server, err = machine.Process(target.PID); err != nil {
		return w, err
	}
	if target.Behind != 0 {
		if w.behind, err = machine.Process(target.Behind); err != nil {
			return w, err
		}
	}
	w.generator, err = machine.Process(os.Getpid())
	return w, err
}

func newSample(result load.Result, before, after work) Sample {
	all := float64(max(after.at.Sub(before.at), 1)) * float64(runtime.NumCPU())
	requests := time.Duration(max(result.Requests(), 1))
	server, generator := after.server-before.server, after.generator-before.generator
	s := Sample{
		Result: result, Server: float64(server) / all, Generator: float64(generator) / all,
		Behind: float64(after.behind-before.behind) / all, Idle: min(float64(after.cores.Idle-before.cores.Idle)/all, 1),
		Cost: server / requests, GeneratorCost: generator / requests,
	}
	s.Others = max(1-s.Server-s.Behind-s.Generator-s.Idle, 0)
	return s
}
