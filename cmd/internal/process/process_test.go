package process

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

const patience = 10 * time.Second

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s in vain for %s", patience, what)
		panic("unreachable")
	}
}

// serving starts an endpoint on a free port; stop ends it and result has what
// Serve returned.
func serving(t *testing.T, handler http.Handler, onStop func()) (url string, stop func(), result <-chan error) {
	t.Helper()
	l, err := Listen(t.Context(), slog.New(slog.DiscardHandler), Endpoint{Address: "127.0.0.1:0", Handler: handler, OnStop: onStop})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx) }()
	return "http://" + l.listeners[0].Addr().String(), cancel, served
}

func TestStoppingWaitsForRequestsUnderWay(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	url, stop, result := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-release
		_, _ = io.WriteString(w, "done")
	}), nil)
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(url)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	await(t, began, "the request to begin")
	stop()
	select {
	case err := <-result:
		t.Fatalf("Serve returned %v with a request under way", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := await(t, answer, "the answer"); got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := await(t, result, "Serve to return"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestStoppingTellsTheEndpointToEndItsStreams(t *testing.T) {
	stopping := make(chan struct{})
	began := make(chan struct{})
	url, stop, result := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-stopping
	}), func() { close(stopping) })
	go func() {
		if res, err := http.Get(url); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}()
	await(t, began, "the stream to open")
	stop()
	if err := await(t, result, "Serve to return"); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestListenTakesEveryAddressOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Listen(t.Context(), slog.New(slog.DiscardHandler), Endpoint{Address: address}, Endpoint{Address: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Fatalf("Listen: %v, want an error that names the taken address", err)
	}
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the free address was kept: %v", err)
	}
	_ = again.Close()
}

func TestHeadersAreBounded(t *testing.T) {
	url, _, _ := serving(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 2*maxHeaderBytes))
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %s, want 431", res.Status)
	}
}

func TestHealthTellsAliveFromReady(t *testing.T) {
	missing := errors.New("no keys are known")
	health := Health(func() error { return missing })
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		health.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if got := ask("/healthz"); got.Code != http.StatusOK {
		t.Errorf("/healthz: %d", got.Code)
	}
	if got := ask("/readyz"); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), missing.Error()) {
		t.Errorf("/readyz: %d %s", got.Code, got.Body)
	}
	missing = nil
	if got := ask("/readyz"); got.Code != http.StatusOK {
		t.Errorf("/readyz once ready: %d", got.Code)
	}
}

func TestLoggerKeepsToItsLevel(t *testing.T) {
	var out bytes.Buffer
	logger, err := NewLogger(&out, "warn")
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("quiet")
	logger.Warn("loud")
	if strings.Contains(out.String(), "quiet") || !strings.Contains(out.String(), `"msg":"loud"`) {
		t.Errorf("log: %s", out.String())
	}
	if _, err := NewLogger(&out, "noisy"); err == nil {
		t.Error("the level noisy was accepted")
	}
}

func TestMainReportsErrorsByExitCode(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want int
		says string
	}{
		{"success", nil, 0, ""},
		{"failure", errors.New("no such file"), 1, "tool: no such file\n"},
		{"a cancellation that nobody asked for", context.Canceled, 1, "tool: context canceled\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			cmd := &cobra.Command{Use: "tool", RunE: func(*cobra.Command, []string) error { return tt.err }}
			cmd.SetErr(&out)
			cmd.SetArgs([]string{})
			if got := Main(cmd); got != tt.want {
				t.Errorf("exit code %d, want %d", got, tt.want)
			}
			if out.String() != tt.says {
				t.Errorf("it said %q, want %q", out.String(), tt.says)
			}
		})
	}
}
