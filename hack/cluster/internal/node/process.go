//go:build linux

package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollEvery is the pause between two looks at something that is waited for.
	pollEvery = 50 * time.Millisecond
	// vanishTimeout bounds the wait for killed processes and their cgroups to be gone.
	vanishTimeout = 15 * time.Second
)

// process identifies a process for ever: a process id alone is soon another process's.
type process struct {
	// Name is the component's.
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Started is when the process started, in clock ticks since the machine did.
	Started uint64 `json:"started"`
	// Boot is the machine's boot id.
	Boot string `json:"boot"`
}

// identify describes a process that runs now.
func identify(name string, pid int) (process, error) {
	stat, err := readStat(pid)
	if err != nil {
		return process{}, err
	}
	boot, err := bootID()
	return process{Name: name, PID: pid, Started: stat.started, Boot: boot}, err
}

// alive reports whether that very process still runs.
func (p process) alive() bool {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return false
	}
	stat, err := readStat(p.PID)
	return err == nil && stat.started == p.Started && !stat.dead()
}

// kill ends the process, if it is still that very process. The descriptor pins it between the
// check and the signal.
func (p process) kill(signal unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d (%s): %w", p.PID, p.Name, err)
	}
	defer unix.Close(fd)
	if !p.alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d (%s): %w", p.PID, p.Name, err)
	}
	return nil
}

// stat is what proc_pid_stat(5) tells that matters here.
type stat struct {
	state   byte
	started uint64
}

// dead reports a process that has ended and only waits for its parent to ask.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	return parseStat(string(content))
}

// parseStat reads "PID (NAME) STATE …": the name may hold spaces and parentheses, so the fields
// count from the last parenthesis. The start time is field 22, the state field 3.
func parseStat(content string) (stat, error) {
	const stateField, startedField = 3, 22
	fields := strings.Fields(content[strings.LastIndexByte(content, ')')+1:])
	if len(fields) <= startedField-stateField || len(fields[0]) != 1 {
		return stat{}, fmt.Errorf("process stat: unexpected content %q", content)
	}
	started, err := strconv.ParseUint(fields[startedField-stateField], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("process stat: start time: %w", err)
	}
	return stat{state: fields[0][0], started: started}, nil
}

func bootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(content)), err
}

// record writes down a process that was started, for later commands to find.
func (c *Cluster) record(p process) error {
	content, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeFile(c.path("processes", p.Name+".json"), content)
}

// recorded lists the processes that were started, dead or alive, by name.
func (c *Cluster) recorded() ([]process, error) {
	files, err := filepath.Glob(c.path("processes", "*.json"))
	if err != nil {
		return nil, err
	}
	found := make([]process, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var p process
		if err := json.Unmarshal(content, &p); err != nil || p.PID <= 1 {
			continue // the write was cut short, or somebody edited it: nothing to prove a claim with
		}
		found = append(found, p)
	}
	return found, nil
}

// writeFile writes a file that only its owner reads, with the folders above it.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
