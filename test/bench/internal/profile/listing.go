//go:build linux

package profile

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// list is where all cores were, by process and library, and below which functions of
// the process. There a function first counts with what it calls, so that the shares add
// up to more than all; a library of C tells nobody who called it.
func (o Options) list(ctx context.Context) (string, error) {
	read := func(args ...string) ([]byte, error) {
		args = append([]string{"report", "--input=" + o.Path, "--stdio", "--quiet", "--call-graph=none", "--field-separator=;"}, args...)
		if o.Relative {
			args = append(args, "--percentage=relative")
		}
		output, err := exec.CommandContext(ctx, "perf", args...).Output()
		if err != nil {
			return nil, fmt.Errorf("read a profile: %w", err)
		}
		return output, nil
	}
	processes, err := read("--no-children", "--sort=comm,dso")
	if err != nil {
		return "", err
	}
	functions, err := read("--children", "--comms="+o.Process, "--sort=symbol")
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, line := range profileLines(processes, 8, processLine) {
		fmt.Fprintln(&text, line)
	}
	if o.Own {
		if err := o.listOwn(&text, read); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(&text, "\n%s, in and below the functions of %s:\n", o.whole(), o.Process)
	for _, line := range profileLines(functions, 24, functionLine) {
		fmt.Fprintln(&text, line)
	}
	return text.String(), nil
}

// whole is what the shares of functions are of.
func (o Options) whole() string {
	if o.Relative {
		return "of what it did"
	}
	return "of these"
}

func (o Options) listOwn(text *strings.Builder, read func(args ...string) ([]byte, error)) error {
	functions, err := read("--no-children", "--comms="+o.Process, "--sort=symbol")
	if err != nil {
		return err
	}
	fmt.Fprintf(text, "\n%s, in the functions themselves of %s, and of the kernel for it:\n", o.whole(), o.Process)
	for _, line := range profileLines(functions, 40, ownLine) {
		fmt.Fprintln(text, line)
	}
	return nil
}

// ownLine reads "1.23%;[.] function", and marks what is of the kernel.
func ownLine(fields []string) (string, bool) {
	if len(fields) < 2 {
		return "", false
	}
	name, kernel := strings.CutPrefix(fields[1], "[k] ")
	if kernel {
		name += " (kernel)"
	}
	name = strings.TrimPrefix(name, "[.] ")
	return fmt.Sprintf("%8s  %s", fields[0], strings.TrimPrefix(name, modulePrefix)), true
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
	return fmt.Sprintf("%8s  %s", fields[0], strings.TrimPrefix(name, modulePrefix)), true
}

// modulePrefix is left out of names.
const modulePrefix = "github.com/mcpauth/mcpauth/"

// passing are functions that only lead from one to the next.
var passing = regexp.MustCompile(`-fm$|\.gowrap\d+$|\.func\d+(\.\d+)*$|^runtime\.goexit|^syscall\.|^internal/(poll|runtime)|^net\.\(|^database/sql\.(withLock|ctx|rowsi|result)|^net/http\.(serverHandler|checkConn)|abi0$`)
