//go:build linux

package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewRefusesNamesThatAreNoNodeNames(t *testing.T) {
	cases := []struct {
		name string
		ok   bool
	}{
		{"mcpauth", true}, {"a", true}, {"mcpauth-e2e", true}, {strings.Repeat("a", 30), true},
		{"", false}, {"-a", false}, {"a-", false}, {"A", false}, {"a/b", false}, {"..", false}, {"a b", false},
		{"a\n", false}, {strings.Repeat("a", 31), false},
	}
	for _, tc := range cases {
		if _, err := New("/cache", tc.name, nil, time.Now); (err == nil) != tc.ok {
			t.Errorf("name %q: %v", tc.name, err)
		}
	}
}

func TestNewRefusesAFolderTooDeepForSockets(t *testing.T) {
	if _, err := New("/"+strings.Repeat("x", maxDir), "mcpauth", nil, time.Now); err == nil {
		t.Error("no error")
	}
}

func TestTwoClustersShareNothing(t *testing.T) {
	parent := t.TempDir()
	var all [2]*Cluster
	for i, name := range []string{"one", "two"} {
		c, err := New(parent, name, nil, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = c
	}
	own := func(c *Cluster) []string {
		return []string{c.Dir, c.lockFile(), c.networkFile(), c.containerdSock(), c.cgroup(), c.Kubeconfig()}
	}
	for i, path := range own(all[0]) {
		if other := own(all[1])[i]; path == other {
			t.Errorf("both have %s", path)
		}
	}
}

func TestEveryComponentOfTheNodeFollowsContainerd(t *testing.T) {
	c := cluster(t)
	seen := false
	for _, what := range c.components() {
		seen = seen || what.name == c.containerd().name
		if what.onNode && !seen {
			t.Errorf("%s starts before the mount namespace is made", what.name)
		}
	}
}

func TestLogsNameTheComponentsThereAre(t *testing.T) {
	c := cluster(t)
	var b bytes.Buffer
	err := c.Logs(&b, "../kubeconfig")
	if err == nil || !strings.Contains(err.Error(), "kubelet") {
		t.Errorf("error: %v", err)
	}
	if err := writeFile(c.logFile("kubelet"), []byte("line\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Logs(&b, "kubelet"); err != nil || b.String() != "line\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestAFailureShowsTheEndOfTheLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "kubelet.log")
	content := strings.Repeat(strings.Repeat("x", 100)+"\n", 1000) + "first\n" + strings.Repeat("line\n", tailLines-1)
	if err := os.WriteFile(log, []byte("secret beginning\n"+content+"last words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("it ended")
	err := (&running{component: component{name: "kubelet"}, log: log}).fail(cause)
	var failed *Failed
	if !errors.As(err, &failed) || !errors.Is(err, cause) || failed.Component != "kubelet" || failed.Log != log {
		t.Fatalf("error: %#v", err)
	}
	if !strings.HasSuffix(failed.LastLines, "\nlast words") || strings.Contains(failed.LastLines, "first") {
		t.Errorf("last lines:\n%s", failed.LastLines)
	}
}

func TestAwaitTellsAComponentThatEndsFromOneThatIsSlow(t *testing.T) {
	c := cluster(t)
	log := filepath.Join(t.TempDir(), "etcd.log")
	if err := os.WriteFile(log, []byte("no space left\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{component: component{name: "etcd"}, log: log, ended: make(chan struct{}), failure: errors.New("exit status 4")}
	asked := 0
	err := c.await(context.Background(), r, func(context.Context) error {
		if asked++; asked == 2 {
			close(r.ended)
		}
		return errors.New("connection refused")
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 4") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error: %v", err)
	}
}

func TestAwaitIgnoresAnAnswerAfterTheEnd(t *testing.T) {
	r := &running{component: component{name: "etcd"}, ended: make(chan struct{}), failure: errors.New("exit status 4")}
	close(r.ended)
	if err := cluster(t).await(context.Background(), r, func(context.Context) error { return nil }); err == nil {
		t.Error("another process's answer passes for the component's")
	}
}

func TestDownOfNoClusterIsDone(t *testing.T) {
	if err := cluster(t).Down(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestExecWithoutAClusterSaysSo(t *testing.T) {
	if err := cluster(t).Exec([]string{"true"}); err == nil || !strings.Contains(err.Error(), "no cluster test") {
		t.Errorf("error: %v", err)
	}
}

func TestStepsShowWhatAndHowLong(t *testing.T) {
	var b bytes.Buffer
	clock := time.Unix(0, 0)
	steps := &Steps{W: &b, Now: func() time.Time { return clock }}
	steps.Title("cluster test")
	done := steps.Begin("etcd")
	clock = clock.Add(1300 * time.Millisecond)
	done("serves")
	want := "cluster test\n  etcd           serves                                           1.3s\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
