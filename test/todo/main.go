package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// shutdownGrace is how long calls that are under way may still take once the
// process is told to stop.
const shutdownGrace = 10 * time.Second

func main() {
	listen := flag.String("listen", ":8080", "`address` to serve MCP on, at the path /mcp")
	flag.Parse()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := serve(*listen, log); err != nil {
		log.Error("todo server failed", "error", err)
		os.Exit(1)
	}
}

func serve(address string, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return run(ctx, listener, tasks.NewServer(&tasks.Store{}), log)
}

// run serves until ctx ends, then stops gracefully. It closes the listener.
func run(ctx context.Context, listener net.Listener, todo *tasks.Server, log *slog.Logger) error {
	srv := &http.Server{Handler: routes(todo), ReadHeaderTimeout: 10 * time.Second}
	// An open event stream would otherwise hold the shutdown until its deadline.
	srv.RegisterOnShutdown(todo.CloseSessions)

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	log.Info("serving MCP", "address", listener.Addr().String(), "path", "/mcp")
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := srv.Shutdown(deadline); err != nil {
		return errors.Join(fmt.Errorf("calls outlived the grace of %s: %w", shutdownGrace, err), srv.Close())
	}
	return nil
}

func routes(todo *tasks.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/mcp", todo)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	return mux
}
