package transparency_test

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// process is a program that ends with its test.
type process struct {
	name  string
	cmd   *exec.Cmd
	said  output
	ended chan struct{}
}

// output keeps the end of what a program says.
type output struct {
	mu   sync.Mutex
	text []byte
}

const maxOutput = 64 << 10

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if len(o.text) > 2*maxOutput {
		o.text = bytes.Clone(o.text[len(o.text)-maxOutput:])
	}
	return len(p), nil
}

func (o *output) String() string {
	const shown = 4 << 10
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text[max(0, len(o.text)-shown):])
}

func start(t *testing.T, path string, arguments ...string) *process {
	t.Helper()
	p := &process{name: filepath.Base(path), cmd: exec.Command(path, arguments...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s said at last:\n%s", p.name, p.said.String())
		}
	})
	return p
}

// listening is a program to be started at free addresses.
type listening struct {
	path      string
	addresses int
	arguments func(free []string) []string
	ready     func(free []string) bool
}

// start starts it, waits until it is ready, and returns the addresses. Another
// process may take one of them first; then there is another try.
func (l listening) start(t *testing.T) []string {
	t.Helper()
	const tries = 3
	var p *process
	for range tries {
		free := freeAddresses(t, l.addresses)
		p = start(t, l.path, l.arguments(free)...)
		if p.await(t, func() bool { return l.ready(free) }) {
			return free
		}
	}
	t.Fatalf("%s ended before it was ready:\n%s", p.name, p.said.String())
	return nil
}

// await waits until the process is ready; it reports whether it lived to be.
func (p *process) await(t *testing.T, ready func() bool) bool {
	t.Helper()
	late := time.After(patience)
	for !ready() {
		select {
		case <-p.ended:
			return false
		case <-late:
			t.Fatalf("waited %s in vain for %s to be ready; it said:\n%s", patience, p.name, p.said.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

func freeAddresses(t *testing.T, count int) []string {
	t.Helper()
	var free []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }() // all at the end, so that they differ
		free = append(free, listener.Addr().String())
	}
	return free
}

// accepts reports whether somebody listens.
func accepts(address string) bool {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err == nil {
		_ = connection.Close()
	}
	return err == nil
}
