//go:build !linux

// Command authserver measures the authorization server. It needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench-authserver: it reads /proc, which only Linux has")
	os.Exit(1)
}
