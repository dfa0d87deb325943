package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// heapGrowth is by how much, in percent, the heap grows between two collections.
// What lives is a few MiB and what a request leaves behind is a few KiB, so that the
// usual 100 collects all the time to save next to nothing.
const heapGrowth = 400

// tune sets the runtime for a process that spends its time in signatures, unless
// the environment says otherwise. A thread that signs in C keeps its processor, in
// Go's sense, for a quarter of a millisecond; with as many more of them, the others
// serve meanwhile instead of waiting to take it away. As many signatures at a time
// as there are cores stay enough.
func tune() keyring.Options {
	cores := runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * cores)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	return keyring.Options{Turns: cores}
}
