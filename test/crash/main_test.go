package crash_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// patience bounds every wait, and silence what a client waits for an answer.
const (
	patience = 60 * time.Second
	silence  = 30 * time.Second
)

// TestMain is the server as well, in a process that a test has started.
func TestMain(m *testing.M) {
	if orders := os.Getenv(serverOrders); orders != "" {
		if err := serve(orders); err != nil {
			fmt.Fprintln(os.Stderr, "the server under test:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
