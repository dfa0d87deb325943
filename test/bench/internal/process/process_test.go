//go:build linux

package process

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// TestMain makes the test binary the program that guardians are.
func TestMain(m *testing.M) {
	child.Run(os.Args, map[string]child.Role{child.RoleGuard: child.Guard})
	os.Exit(m.Run())
}

func start(t *testing.T, script string) *Process {
	t.Helper()
	guardian, err := child.StartGuardian(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guardian.Stop(); err != nil {
			t.Errorf("the guardian ended with %v", err)
		}
	})
	p, err := Start(exec.Command("sh", "-c", script), t.TempDir(), guardian)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProcessThatAnswersHasStartedBefore(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	p := start(t, "exec sleep 60")
	if took, err := p.Answers(t.Context(), server.URL); err != nil || took <= 0 || asked != 3 {
		t.Errorf("it took %s and %d requests, %v", took, asked, err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
	if _, err := os.Stat(p.Log()); !os.IsNotExist(err) {
		t.Errorf("its log: %v", err)
	}
}

func TestAProcessThatEndsSaysItsLastWords(t *testing.T) {
	p := start(t, "echo the policy is broken >&2; exit 1")
	if _, err := p.Answers(t.Context(), "http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "the policy is broken") {
		t.Errorf("error is %v", err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("it stopped with %v", err)
	}
}

func TestWhatIsWrittenAfterTheLogWasCutBeginsIt(t *testing.T) {
	folder := t.TempDir()
	p := start(t, fmt.Sprintf("echo before; : > %[1]s/written; while [ ! -e %[1]s/cut ]; do sleep 0.01; done; echo after", folder))
	defer func() {
		if err := p.Stop(); err != nil {
			t.Errorf("it stopped with %v", err)
		}
	}()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(folder + "/written"); err == nil {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatal("waited 30 s in vain for its first line")
		}
	}
	if err := os.Truncate(p.Log(), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/cut", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if got, err := os.ReadFile(p.Log()); err != nil || string(got) != "after\n" {
		t.Errorf("the log holds %q, %v", got, err)
	}
}
