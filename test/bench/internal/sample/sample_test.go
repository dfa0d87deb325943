//go:build linux

package sample

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/load"
)

type repeated struct{}

func (repeated) Next() []byte               { return load.Get("bench", "/") }
func (repeated) Answered(int, []byte) error { return nil }

func scripts(context.Context) ([]load.Script, error) {
	return []load.Script{repeated{}, repeated{}}, nil
}

func target(t *testing.T) Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(server.Close)
	return Target{Address: server.Listener.Addr().String(), PID: os.Getpid()}
}

func TestASampleSaysWhatTheCoresDid(t *testing.T) {
	begun := 0
	one, err := Take(t.Context(), target(t), 50*time.Millisecond, Workload{Name: "ok", Scripts: scripts, Begin: func() error { begun++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	// Server and generator are one process here, looked at one after the other.
	if one.Requests() == 0 || begun != 1 || one.Cost <= 0 || one.Behind != 0 || one.Server < one.Generator/2 || one.Server > 2*one.Generator {
		t.Errorf("%d requests, begun %d times, cost %s each; the server took %v, the generator %v, what is behind %v",
			one.Requests(), begun, one.Cost, one.Server, one.Generator, one.Behind)
	}
	if sum := one.Server + one.Behind + one.Generator + one.Others + one.Idle; sum <= 0 || one.Server > 1 || one.Others < 0 || one.Idle < 0 {
		t.Errorf("the shares of server %v, generator %v, others %v and idle %v add up to %v", one.Server, one.Generator, one.Others, one.Idle, sum)
	}
	if said := (Samples{one}).Cores(); strings.Contains(said, "behind") || !strings.Contains(said, "generator") {
		t.Errorf("it says %q", said)
	}
}

func TestAProcessBehindCountsByItself(t *testing.T) {
	at := target(t)
	at.Behind = os.Getpid()
	one, err := Take(t.Context(), at, 50*time.Millisecond, Workload{Name: "ok", Scripts: scripts})
	if err != nil || one.Behind <= 0 {
		t.Errorf("what is behind took %v, %v", one.Behind, err)
	}
	if said := (Samples{one}).Cores(); !strings.Contains(said, "behind it ") {
		t.Errorf("it says %q", said)
	}
}

func TestWhatAWorkloadFindsWrongFailsTheSample(t *testing.T) {
	wrong := errors.New("wrong")
	fails := func() error { return wrong }
	for name, w := range map[string]Workload{
		"no scripts": {Scripts: func(context.Context) ([]load.Script, error) { return nil, wrong }},
		"begin":      {Scripts: scripts, Begin: fails},
		"check":      {Scripts: scripts, Check: fails},
	} {
		if _, err := Take(t.Context(), target(t), time.Millisecond, w); !errors.Is(err, wrong) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	at := target(t)
	at.PID = 1 << 26
	if _, err := Take(t.Context(), at, time.Millisecond, Workload{Scripts: scripts}); err == nil {
		t.Error("a process that is not there was measured")
	}
}

func TestSamplesAreTheirMedians(t *testing.T) {
	s := Samples{{Cost: time.Microsecond, Generator: 0.3}, {Cost: 9 * time.Microsecond, Generator: 0.1}, {Cost: 3 * time.Microsecond, Generator: 0.2}}
	if s.Cost() != 3*time.Microsecond || s.Generator() != 0.2 || s.PerSecond() != 0 || s.Tail() != 0 {
		t.Errorf("got %s, %v, %v, %v", s.Cost(), s.Generator(), s.PerSecond(), s.Tail())
	}
}
