//go:build linux

package child

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

// Role reads requests, one a line, and answers each with one line. It ends when its
// input does, and so with its parent, however that ends.
type Role func(in io.Reader, out io.Writer) error

// Run plays the role that a program's arguments name, and ends the process. It returns
// where they name none.
func Run(args []string, roles map[string]Role) {
	if len(args) != 2 || roles[args[1]] == nil {
		return
	}
	if err := roles[args[1]](os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", args[1], err)
		os.Exit(1)
	}
	os.Exit(0)
}

// maxLine bounds requests and answers: a key ring is in one.
const maxLine = 1 << 20

// Lines reads what a role is asked.
func Lines(r io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	return scanner
}

// Child is this program in one of its roles. One goroutine uses it.
type Child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// grace is how long a child may take to end.
const grace = 5 * time.Second

// Start starts a role, which is killed when ctx ends. It is in a process group of its
// own: what a terminal sends to us is for us to act on.
func Start(ctx context.Context, role string) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, role)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
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
	return &Child{cmd: cmd, in: in, out: Lines(out)}, nil
}

// PID is the id of its process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Ask sends a request and waits for the answer.
func (c *Child) Ask(request string) (string, error) {
	if _, err := io.WriteString(c.in, request+"\n"); err != nil {
		return "", fmt.Errorf("ask a child: %w", err)
	}
	if !c.out.Scan() {
		return "", errors.Join(errors.New("a child ended without an answer"), c.out.Err())
	}
	return c.out.Text(), nil
}

// Stop ends the child and waits for its end.
func (c *Child) Stop() error {
	late := time.AfterFunc(grace, func() { _ = c.cmd.Process.Kill() }) // it may have ended
	defer late.Stop()
	_ = c.in.Close() // it may have ended
	return c.cmd.Wait()
}
