package crash_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// world is a server that is killed and started again, always at the same address,
// and its database.
type world struct {
	orders
	listener *os.File
	running  *process
}

// newWorld takes an address and starts nothing yet. The orders say where the
// database is.
func newWorld(t *testing.T, o orders) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Whoever connects while no server runs waits for the next one.
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(keyring.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	o.Issuer, o.Now = "http://"+listener.Addr().String(), time.Now()
	o.Ring = filepath.Join(t.TempDir(), "ring.json")
	if err := os.WriteFile(o.Ring, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{orders: o, listener: file}
	t.Cleanup(func() {
		w.kill()
		_, _ = listener.Close(), file.Close()
	})
	return w
}

// process is a server's.
type process struct {
	cmd    *exec.Cmd
	lines  chan string
	errors output
	ended  chan struct{}
}

// output is what a process has written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	const most = 4000
	text := o.text.Bytes()
	return string(text[max(0, len(text)-most):])
}

// launch starts the server's process, which ends with ours in any case.
func (w *world) launch(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(w.orders)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0]), lines: make(chan string, 16), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), serverOrders+"="+string(text))
	p.cmd.ExtraFiles, p.cmd.Stderr = []*os.File{w.listener}, &p.errors
	if _, err := p.cmd.StdinPipe(); err != nil { // whose end is ours
		t.Fatal(err)
	}
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for scanner := bufio.NewScanner(said); scanner.Scan(); {
			select {
			case p.lines <- scanner.Text():
			default: // nobody listens any more
			}
		}
		_ = p.cmd.Wait() // it is killed
	}()
	w.running = p
}

// await waits until the process says a line.
func (w *world) await(t *testing.T, line string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case said := <-w.running.lines:
			if said == line {
				return
			}
		case <-w.running.ended:
			t.Fatalf("the server ended before it was %s:\n%s", line, &w.running.errors)
		case <-late:
			t.Fatalf("waited %s for the server to be %s:\n%s", patience, line, &w.running.errors)
		}
	}
}

// start starts the server and waits until it serves.
func (w *world) start(t *testing.T) {
	t.Helper()
	w.launch(t)
	w.await(t, saysServing)
}

// kill ends the server as a power cut would, if it runs.
func (w *world) kill() {
	if w.running != nil {
		_ = w.running.cmd.Process.Kill() // SIGKILL; it may have ended
		<-w.running.ended
		w.running = nil
	}
}
