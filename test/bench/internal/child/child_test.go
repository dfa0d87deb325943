//go:build linux

package child

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const (
	roleEcho   = "role:echo"
	roleSilent = "role:silent"
)

// TestMain makes the test binary the program that children are.
func TestMain(m *testing.M) {
	Run(os.Args, map[string]Role{roleEcho: echo, roleSilent: func(io.Reader, io.Writer) error { return nil }, RoleGuard: Guard})
	os.Exit(m.Run())
}

func echo(in io.Reader, out io.Writer) error {
	for requests := Lines(in); requests.Scan(); {
		if _, err := fmt.Fprintln(out, os.Getpid(), requests.Text()); err != nil {
			return err
		}
	}
	return nil
}

func TestAChildAnswersAsAProcessOfItsOwn(t *testing.T) {
	c, err := Start(t.Context(), roleEcho)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", strings.Repeat("long", 64<<10)} {
		if answer, err := c.Ask(text); err != nil || answer != fmt.Sprint(c.PID(), " ", text) {
			t.Errorf("the answer is %.40q, %v", answer, err)
		}
	}
	if c.PID() == os.Getpid() {
		t.Error("it is our own process")
	}
	if err := c.Stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAChildThatEndsWithoutAnAnswerIsAnError(t *testing.T) {
	c, err := Start(t.Context(), roleSilent)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := c.Ask("anything"); err == nil {
		t.Errorf("the answer is %q", answer)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAChildThatCannotStartIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, roleEcho); err == nil {
		t.Error("it was started under a context that has ended")
	}
}

// converse runs a role with the requests and returns its answers.
func converse(t *testing.T, role func(io.Reader, io.Writer) error, requests ...string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := role(strings.NewReader(strings.Join(requests, "\n")+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestTheGuardEndsWhatItWatchesEvenWhereItIsFrozen(t *testing.T) {
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		return cmd
	}
	watched, forgotten := start(), start()
	defer func() { _, _ = forgotten.Process.Kill(), forgotten.Wait() }()
	if err := watched.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	answers := converse(t, Guard,
		fmt.Sprintf("watch %d", watched.Process.Pid), fmt.Sprintf("watch %d", forgotten.Process.Pid), fmt.Sprintf("forget %d", forgotten.Process.Pid))
	if strings.Join(answers, " ") != "ok ok ok" {
		t.Errorf("the answers are %q", answers)
	}
	_ = watched.Wait()
	if status := watched.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("the watched process ended by %v", status.Signal())
	}
	if err := forgotten.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the forgotten process: %v", err)
	}
}
