package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// start runs the server on a free port; the returned channel gives run's result.
func start(t *testing.T) (url string, stop func(), result <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, listener, tasks.NewServer(&tasks.Store{}), slog.New(slog.DiscardHandler))
	}()
	return "http://" + listener.Addr().String(), cancel, done
}

func TestHealthAnswersWhileTheServerRuns(t *testing.T) {
	url, _, _ := start(t)
	response, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", response.Status)
	}
}

func TestStoppingDoesNotWaitForOpenStreams(t *testing.T) {
	url, stop, result := start(t)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	// This revision keeps a GET stream open for as long as the session lives.
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url + "/mcp", MaxRetries: -1},
		&mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	stop()
	// A stream that held the shutdown would make run report that its grace ran out.
	select {
	case err := <-result:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(2 * shutdownGrace):
		t.Errorf("the server still runs %s after it was told to stop, with an event stream open", 2*shutdownGrace)
	}
}
