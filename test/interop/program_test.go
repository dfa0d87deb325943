package interop_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopGrace is how long a program may take to stop before it is killed.
const stopGrace = 10 * time.Second

// program is a process with a group of its own, which ends with its test.
type program struct {
	name           string
	stdin          io.WriteCloser
	stdout, stderr output
	stop           context.CancelFunc
	ended          chan struct{}
	err            error // set before ended is closed
}

// start starts a command line with that environment. What it said is in the log
// of a failed test.
func start(t *testing.T, environment []string, line ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &program{name: filepath.Base(line[0]), stop: stop, ended: make(chan struct{})}
	if len(line) > 1 && strings.HasPrefix(p.name, "node") {
		p.name = filepath.Base(line[1])
	}
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, &p.stdout, &p.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Programs that outlive it may hold its output open.
	cmd.WaitDelay = 2 * stopGrace
	var killer *time.Timer
	cmd.Cancel = func() error {
		killer = time.AfterFunc(stopGrace, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	var err error
	if p.stdin, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		defer close(p.ended)
		err := cmd.Wait()
		if killer != nil {
			killer.Stop()
		}
		if !errors.Is(err, context.Canceled) { // that is: it stopped well when it was told to
			p.err = err
		}
	}()
	t.Cleanup(func() {
		p.quit()
		if t.Failed() {
			t.Logf("%s said:\n%s\nand on standard error:\n%s", p.name, excerpt(p.stdout.String()), excerpt(p.stderr.String()))
		}
	})
	return p
}

// quit stops the program and waits for its end.
func (p *program) quit() {
	p.stop()
	<-p.ended
}

// wait waits for a program that ends by itself.
func (p *program) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		t.Fatalf("waited %s for %s to end", patience, p.name)
		return nil
	}
}

// line waits for the first line of standard output that pick accepts.
func (p *program) line(t *testing.T, what string, pick func(line string) bool) string {
	t.Helper()
	late := time.After(patience)
	for {
		text, more := p.stdout.read()
		for line := range strings.Lines(text) {
			if strings.HasSuffix(line, "\n") && pick(line) {
				return strings.TrimSpace(line)
			}
		}
		select {
		case <-more:
		case <-p.ended:
			if _, last := p.stdout.read(); last == more { // nothing came in between
				t.Fatalf("%s ended without %s: %v", p.name, what, p.err)
			}
		case <-late:
			t.Fatalf("waited %s for %s from %s", patience, what, p.name)
		}
	}
}

func (p *program) write(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		t.Fatalf("write to %s: %v", p.name, err)
	}
}

// output keeps what a stream said. Its zero value is empty.
type output struct {
	mu   sync.Mutex
	text []byte
	more chan struct{} // closed by the next write
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return len(p), nil
}

// read returns what there is, and a channel that is closed once there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return string(o.text), o.more
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

// maxShown is how much of an output a log shows.
const maxShown = 8 << 10

// excerpt is the end of what a program said, fit for a log.
func excerpt(text string) string {
	text = redact(text)
	if len(text) > maxShown {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxShown:], "")
	}
	return text
}

// long matches what is long enough to be a secret.
var long = regexp.MustCompile(`[A-Za-z0-9_~-]{20,}`)

// redact shortens what may be a token, a code or a key: long words with digits or
// capitals in them.
func redact(text string) string {
	return long.ReplaceAllStringFunc(text, func(word string) string {
		if !strings.ContainsAny(word, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
			return word
		}
		return word[:8] + "…"
	})
}

func TestALogHoldsNoWholeToken(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a JWT", "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9IiwiaXN.c2lnbmF0dXJlLW9mLWl0", "got eyJhbGci….eyJzdWIi….c2lnbmF0…"},
		{"a code in a URL", "http://127.0.0.1:3000/cb?code=mcpac_0123456789abcdefghij&state=x", "http://127.0.0.1:3000/cb?code=mcpac_01…&state=x"},
		{"hexadecimal", "0123456789abcdef0123", "01234567…"},
		{"words are legible", "authorization-server-metadata-endpoint passed", "authorization-server-metadata-endpoint passed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := redact(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAProgramEndsWithItsTest(t *testing.T) {
	var p *program
	t.Run("a test", func(t *testing.T) {
		p = start(t, nil, "/bin/sh", "-c", "echo ready; read forever")
		p.line(t, "a word", func(line string) bool { return line == "ready\n" })
	})
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) {
		t.Errorf("it ended with %v, want the signal that stopped it", p.err)
	}
}
