package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// heapGrowth is by how much, in percent, the heap grows between two collections under
// load. What lives is some MiB, and a request leaves some KiB behind; giveBack takes care
// of what is left when the load is over.
const heapGrowth = 300

// tune sets the runtime for a program that shares a pod with another, unless the
// environment says otherwise: fewer collections while there is memory, and more of them
// before the container's limit is reached.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if limit := memoryLimit(); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 8) // the rest is the stacks' and the kernel's
	}
}

// memoryLimit is that of the container, in bytes; zero where there is none.
func memoryLimit() int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// "max", and a number beyond all memory in the first version, mean none.
		limit, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
		if err != nil || limit > math.MaxInt64/2 {
			return 0
		}
		return limit
	}
	return 0
}
