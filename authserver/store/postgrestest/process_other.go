//go:build !linux

package postgrestest

import "os/exec"

// endWithUs cannot be promised here: Stop has to be called.
func endWithUs(*exec.Cmd) {}
