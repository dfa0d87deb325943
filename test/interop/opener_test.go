package interop_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/test/journey"
)

// openerAddress is the environment variable that makes this binary an opener of
// URLs, and says where to hand them.
const openerAddress = "MCPAUTH_INTEROP_OPENER"

// Bounds on what an opener hands over.
const (
	maxURL          = 64 << 10
	handOverTimeout = 10 * time.Second
)

// openers are the programs with which clients open a browser, on Linux and macOS.
var openers = []string{"xdg-open", "open"}

// opener stands in for what opens a browser.
type opener struct {
	folder   string
	listener net.Listener
	opened   chan string
}

func newOpener(t *testing.T) *opener {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &opener{folder: t.TempDir(), opened: make(chan string, 16)}
	for _, name := range openers {
		if err := os.Symlink(self, filepath.Join(o.folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if o.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); o.receive() }()
	t.Cleanup(func() { _ = o.listener.Close(); <-done })
	return o
}

func (o *opener) receive() {
	for {
		conn, err := o.listener.Accept()
		if err != nil {
			return
		}
		_ = conn.SetDeadline(time.Now().Add(handOverTimeout))
		if url, err := io.ReadAll(io.LimitReader(conn, maxURL)); err == nil && len(url) > 0 {
			select {
			case o.opened <- string(url):
			default: // a client that opens this many pages has failed already
			}
		}
		_ = conn.Close()
	}
}

// handOver is the other side of receive.
func handOver(address, url string) error {
	conn, err := net.DialTimeout("tcp", address, handOverTimeout)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(handOverTimeout))
	if _, err := io.WriteString(conn, url); err != nil {
		return err
	}
	return conn.Close()
}

// environment is all that a client gets to know: a home of its own, and nothing
// of a desktop whose browser it might open.
func (o *opener) environment(home string, more ...string) []string {
	return append([]string{
		"PATH=" + o.folder + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"HOME=" + home, "TMPDIR=" + home,
		"BROWSER=" + filepath.Join(o.folder, openers[0]),
		openerAddress + "=" + o.listener.Addr().String(),
	}, more...)
}

// signIn waits for the page that the client opens, signs in, approves, and takes
// the answer back to the client.
func (o *opener) signIn(t *testing.T, p *program) {
	t.Helper()
	select {
	case url := <-o.opened:
		signIn(t, url)
	case <-p.ended:
		t.Fatalf("%s ended before it opened a page: %v", p.name, p.err)
	case <-time.After(patience):
		t.Fatalf("waited %s for %s to open a page", patience, p.name)
	}
}

// expectNoPage fails if a client that has done its work opened a page for it.
func (o *opener) expectNoPage(t *testing.T) {
	t.Helper()
	select {
	case <-o.opened:
		t.Error("a page was opened: the user would have to sign in again")
	default:
	}
}

func signIn(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	browser := journey.Browser{Username: "alice", Password: "wonderland"}
	callback, err := browser.SignInAndConsent(ctx, url)
	if err == nil {
		err = browser.Open(ctx, callback)
	}
	if err != nil {
		t.Fatalf("sign in: %s", redact(err.Error()))
	}
}
