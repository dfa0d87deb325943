//go:build !linux

// Command admission measures pod admission. It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench-admission: it needs Linux")
	os.Exit(1)
}
