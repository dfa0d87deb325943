package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CPU names the processor and says how many cores there are.
func CPU() string {
	model := "an unknown processor"
	if file, err := os.Open("/proc/cpuinfo"); err == nil {
		defer file.Close()
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores", model, runtime.NumCPU())
}

// ErrInMemory says that a folder is not on a disk.
var ErrInMemory = errors.New("the folder is in memory, and what is written there is not durable")

// Disk is the latency of making 4 KiB durable in the folder, as a median. It fails
// with ErrInMemory where the folder is on no disk.
func Disk(folder string) (time.Duration, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, err
	}
	if stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC {
		return 0, fmt.Errorf("%s: %w", folder, ErrInMemory)
	}
	file, err := os.CreateTemp(folder, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	block := make([]byte, 4096)
	all := make([]time.Duration, 200)
	for i := range all {
		begin := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
		all[i] = time.Since(begin)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// tick is the unit of /proc/stat, which Linux fixes at 1/100 s.
const tick = 10 * time.Millisecond

// Time is what the cores have done so far: Work on whatever, and Idle, each summed
// over all cores.
type Time struct{ Work, Idle time.Duration }

// Cores reads what all cores have done.
func Cores() (Time, error) {
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Time{}, err
	}
	first, _, _ := strings.Cut(string(content), "\n")
	fields := strings.Fields(first)
	// cpu user nice system idle iowait irq softirq steal …; guests count as users.
	if len(fields) < 9 || fields[0] != "cpu" {
		return Time{}, fmt.Errorf("/proc/stat begins with %q", first)
	}
	var t Time
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Time{}, fmt.Errorf("/proc/stat: %w", err)
		}
		if idle := i == 3 || i == 4; idle {
			t.Idle += time.Duration(n) * tick
		} else {
			t.Work += time.Duration(n) * tick
		}
	}
	return t, nil
}

// Process is the work that the cores have done for a process so far, by itself and in
// the kernel, to the nanosecond.
func Process(pid int) (time.Duration, error) {
	// The kernel's clock of another process (clock_getcpuclockid(3)).
	const scheduler = 2
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &spent); err != nil {
		return 0, fmt.Errorf("the time of process %d: %w", pid, err)
	}
	return time.Duration(spent.Nano()), nil
}

// Resident is the memory that a process holds, in KiB: its own, and what it has read
// of files, its program above all.
func Resident(pid int) (own, files int, err error) {
	file, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	found := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(value, "kB"))); err == nil {
			found[name] = kib
		}
	}
	// The three make VmRSS; the third is of memory that processes share.
	own, files = found["RssAnon"]+found["RssShmem"], found["RssFile"]
	if own == 0 {
		return 0, 0, fmt.Errorf("the status of process %d does not say what it holds", pid)
	}
	return own, files, nil
}

// Children are the ids of the running processes that a process has started and whose
// program has one of the names.
func Children(parent int, names ...string) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, path := range stats {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		text := string(content)
		opened, closed := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		if opened < 0 || closed < opened {
			continue
		}
		fields := strings.Fields(text[closed+1:])
		// The kernel keeps 15 characters of a name.
		if len(fields) < 2 || fields[1] != strconv.Itoa(parent) || !slices.ContainsFunc(names, func(name string) bool {
			return name[:min(len(name), 15)] == text[opened+1:closed]
		}) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	return found, nil
}
