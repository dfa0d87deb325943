package postgrestest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is the server, which does not outlive us however we end.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// launch starts the program, whose output goes to the file log.
func launch(cmd *exec.Cmd, log string) (*process, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	endWithUs(cmd)
	p := &process{cmd: cmd, log: log, ended: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	return p, <-started
}

// run keeps the thread that started the program: Linux takes the end of the thread
// for ours.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // it ends because it is told to; else its log says why
	}
}

// stop asks the server to end: without its clients, and then at once.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if p.cmd.Process != nil {
			_ = p.cmd.Process.Signal(signal) // it may have ended
		}
		select {
		case <-p.ended:
			return
		case <-time.After(stopTimeout):
		}
	}
}

func (p *process) lastWords() []byte {
	output, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	return tail(output)
}
