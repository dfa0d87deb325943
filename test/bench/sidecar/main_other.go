//go:build !linux

// Command sidecar measures the sidecar. It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench-sidecar: it reads /proc, which only Linux has")
	os.Exit(1)
}
