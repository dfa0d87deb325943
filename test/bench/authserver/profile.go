//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// explain profiles a load where its bound was missed, and where profiles are wanted
// anyway.
func (b *bench) explain(ctx context.Context, r *race, w workload, title string, verdict report.Verdict) error {
	if verdict != report.Missed && b.profiles == "" {
		return nil
	}
	perf, err := exec.LookPath("perf")
	if err != nil {
		if verdict == report.Missed {
			b.note("%s: there is no profile, because perf is not installed.", title)
		}
		return nil
	}
	recorded := filepath.Join(b.folder, "perf.data")
	if b.profiles != "" {
		recorded = filepath.Join(b.profiles, strings.ReplaceAll(strings.ReplaceAll(title, ", ", "-"), " ", "-")+".perf")
	}
	// All processes count: they share the cores.
	cmd := exec.CommandContext(ctx, perf, "record", "--all-cpus", "--call-graph=fp", "--freq=499", "--output="+recorded,
		"--", "sleep", fmt.Sprintf("%.1f", b.round.Seconds()))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := b.cluster.frozen(func() error { return b.sampleBeside(ctx, r, w, cmd) }); err != nil {
		return err
	}
	if !cmd.ProcessState.Success() {
		b.note("%s: there is no profile: %s", title, bytes.TrimSpace(said.Bytes()))
		return nil
	}
	text, err := list(ctx, perf, recorded)
	if err != nil {
		b.note("%s: there is no profile: %v", title, err)
		return nil
	}
	if verdict == report.Missed {
		b.report.Profiles = append(b.report.Profiles, report.Profile{Title: title + ", where the cores were", Text: text})
	}
	if b.profiles == "" {
		return os.Remove(recorded)
	}
	return nil
}

// sampleBeside runs the load while the profiler runs.
func (b *bench) sampleBeside(ctx context.Context, r *race, w workload, profiler *exec.Cmd) error {
	w.begin = profiler.Start
	_, err := r.sample(ctx, w)
	if profiler.Process == nil {
		return err
	}
	if err != nil {
		_ = profiler.Process.Kill() // it may have ended
	}
	_ = profiler.Wait() // its state says how it ended
	return err
}

// list is where all cores were, by process and library, and below which functions of
// the server. What a function calls counts as its own, so the shares below add up to
// more than all; the library that signs tells nobody who called it.
func list(ctx context.Context, perf, recorded string) (string, error) {
	read := func(args ...string) ([]byte, error) {
		args = append([]string{"report", "--input=" + recorded, "--stdio", "--quiet", "--call-graph=none", "--field-separator=;"}, args...)
		output, err := exec.CommandContext(ctx, perf, args...).Output()
		if err != nil {
			return nil, fmt.Errorf("read a profile: %w", err)
		}
		return output, nil
	}
	processes, err := read("--no-children", "--sort=comm,dso")
	if err != nil {
		return "", err
	}
	functions, err := read("--children", "--comms=authserver", "--sort=symbol")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, line := range profileLines(processes, 8, processLine) {
		fmt.Fprintln(&text, line)
	}
	fmt.Fprintln(&text, "\nof these, in and below the server's functions:")
	for _, line := range profileLines(functions, 24, functionLine) {
		fmt.Fprintln(&text, line)
	}
	return text.String(), nil
}

// profileLines is the beginning of a listing, as read reads each of its lines.
func profileLines(listing []byte, most int, read func(fields []string) (text string, ok bool)) []string {
	var kept []string
	for line := range strings.Lines(string(listing)) {
		fields := strings.Split(line, ";")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if text, ok := read(fields); ok && len(kept) < most {
			kept = append(kept, text)
		}
	}
	return kept
}

// processLine reads "12.34%;process;library".
func processLine(fields []string) (string, bool) {
	if len(fields) < 3 {
		return "", false
	}
	where := fields[1] + " in " + fields[2]
	switch {
	case fields[1] == "swapper":
		where = "idle"
	case fields[1] == fields[2]:
		where = fields[1] + " itself"
	case strings.HasPrefix(fields[2], "[kernel"):
		where = fields[1] + " in the kernel"
	}
	return fmt.Sprintf("%8s  %s", fields[0], where), true
}

// functionLine reads "12.34%;1.23%;[.] function", and leaves out what is of the kernel,
// has no name, or only leads from one function to the next.
func functionLine(fields []string) (string, bool) {
	if len(fields) < 3 {
		return "", false
	}
	name, user := strings.CutPrefix(fields[2], "[.] ")
	anonymous := strings.HasPrefix(name, "0x") || strings.HasPrefix(name, "0000")
	if between := passing.MatchString(name); !user || anonymous || between {
		return "", false
	}
	return fmt.Sprintf("%8s  %s", fields[0], strings.TrimPrefix(name, "github.com/mcpauth/mcpauth/")), true
}

// passing are functions that only lead from one to the next.
var passing = regexp.MustCompile(`-fm$|\.gowrap\d+$|\.func\d+(\.\d+)*$|^runtime\.goexit|^syscall\.|^internal/(poll|runtime)|^net\.\(|^database/sql\.(withLock|ctx|rowsi|result)|^net/http\.(serverHandler|checkConn)|abi0$`)
