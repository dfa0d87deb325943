package postgrestest

import (
	"os/exec"
	"syscall"
)

// endWithUs lets the kernel tell the server to end when we do.
func endWithUs(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT }
