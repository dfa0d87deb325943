package main

import (
	"context"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"time"
)

const (
	// lookForQuiet is how often memory is looked at.
	lookForQuiet = 4 * time.Second
	// quietBytes is how much may be allocated in that time for it to be quiet.
	quietBytes = 4 << 20
	// worthGiving is from how much on memory is given back, in bytes.
	worthGiving = 4 << 20
)

// giveBack returns memory to the system that a burst of work has left behind, once it is
// quiet, until ctx ends. A program of which one runs in every pod is quiet for most of the
// time, and without this it would keep what its busiest minute took: the collector
// runs when memory is wanted, not when it is not.
func giveBack(ctx context.Context) {
	look := time.NewTicker(lookForQuiet)
	defer look.Stop()
	samples := []runtimemetrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	var before uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		runtimemetrics.Read(samples)
		allocated, live, objects, free := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()
		if allocated-before < quietBytes && objects+free > live+worthGiving {
			debug.FreeOSMemory()
		}
		before = allocated
	}
}
