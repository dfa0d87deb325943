package interop_test

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// patience bounds every wait for a client.
const patience = 60 * time.Second

// TestMain is the browser as well: under the name of a program that opens URLs,
// this binary hands the URL to the test that waits for it.
func TestMain(m *testing.M) {
	if address := os.Getenv(openerAddress); address != "" {
		if err := handOver(address, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, "hand a URL over:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr)
}
