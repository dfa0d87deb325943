//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// The roles in which this program runs again, as a process of its own.
const (
	roleSigner  = "role:signer"
	roleHandler = "role:handler"
	roleGuard   = "role:guard"
)

// roles read requests, one a line, and answer each with one line. They end when
// their input does, and so with us, however we end.
func roles() map[string]func(io.Reader, io.Writer) error {
	return map[string]func(io.Reader, io.Writer) error{
		roleSigner: signer, roleHandler: handler, roleGuard: guard,
	}
}

// maxLine bounds requests and answers: a key ring is in one.
const maxLine = 1 << 20

func lines(r io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	return scanner
}

// child is this program in one of its roles. One goroutine uses it.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// childGrace is how long a child may take to end.
const childGrace = 5 * time.Second

// startChild starts a role, which is killed when ctx ends. It is in a process group of
// its own: what a terminal sends to us is for us to act on.
func startChild(ctx context.Context, role string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = childGrace
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return &child{cmd: cmd, in: in, out: lines(out)}, nil
}

// ask sends a request and waits for the answer.
func (c *child) ask(request string) (string, error) {
	if _, err := io.WriteString(c.in, request+"\n"); err != nil {
		return "", fmt.Errorf("ask a child: %w", err)
	}
	if !c.out.Scan() {
		return "", errors.Join(errors.New("a child ended without an answer"), c.out.Err())
	}
	return c.out.Text(), nil
}

// stop ends the child and waits for its end.
func (c *child) stop() error {
	late := time.AfterFunc(childGrace, func() { _ = c.cmd.Process.Kill() }) // it may have ended
	defer late.Stop()
	_ = c.in.Close() // it may have ended
	return c.cmd.Wait()
}
