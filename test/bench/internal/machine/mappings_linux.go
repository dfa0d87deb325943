package machine

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Mapping is what a process holds in memory under one name.
type Mapping struct {
	// Name is a file's, or says what the memory is for: "[heap]", "[stack]". Memory
	// without a name, as Go's heap and stacks are, is "[anonymous]".
	Name string
	// Resident is how much of it is held, in KiB.
	Resident int
}

// Mappings are those of a process, in no order.
func Mappings(pid int) ([]Mapping, error) {
	file, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "smaps"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	byName, name := map[string]int{}, ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// "00400000-00c5d000 r-xp 00000000 fe:00 123   /path", then "Rss:   1234 kB" and others.
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			name = nameOf(fields)
		case len(fields) == 3 && fields[0] == "Rss:":
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				return nil, err
			}
			byName[name] += kib
		}
	}
	all := make([]Mapping, 0, len(byName))
	for name, kib := range byName {
		all = append(all, Mapping{name, kib})
	}
	return all, lines.Err()
}

func nameOf(fields []string) string {
	switch {
	case len(fields) == 5:
		return "[anonymous]"
	case fields[5] == "[anon:" && len(fields) > 6: // "[anon: Go: heap]", where the kernel keeps names
		return strings.Join(fields[5:], " ")
	case strings.HasPrefix(fields[5], "/"):
		return filepath.Base(fields[5]) + ", " + fields[1]
	}
	return strings.Join(fields[5:], " ")
}
