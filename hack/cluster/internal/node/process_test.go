//go:build linux

package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseStatCountsFromTheLastParenthesis(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	cases := []struct {
		name    string
		content string
		want    stat
		dead    bool
	}{
		{name: "plain", content: "77 (etcd) S" + rest, want: stat{state: 'S', started: 4711}},
		{name: "a name with a space and parentheses", content: "77 (a) S (b) R" + rest, want: stat{state: 'R', started: 4711}},
		{name: "a zombie", content: "77 (etcd) Z" + rest, want: stat{state: 'Z', started: 4711}, dead: true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseStat(tc.content)
			if err != nil || got != tc.want || got.dead() != tc.dead {
				t.Errorf("%+v dead %t, %v; want %+v dead %t", got, got.dead(), err, tc.want, tc.dead)
			}
		})
	}
}

func TestParseStatRefusesWhatIsNoStat(t *testing.T) {
	for _, content := range []string{"", "77 (etcd) S 1 2", "77 (etcd", "77 (etcd) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20"} {
		if got, err := parseStat(content); err == nil {
			t.Errorf("%q is %+v", content, got)
		}
	}
}

// sleeper starts a process that ends with the test.
func sleeper(t *testing.T, environment ...string) (*exec.Cmd, process) {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	cmd.Env = environment
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p, err := identify("sleep", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, p
}

func TestAProcessIsKnownByMoreThanItsID(t *testing.T) {
	_, p := sleeper(t)
	if !p.alive() {
		t.Fatal("the process that runs is taken for dead")
	}
	later, elsewhere := p, p
	later.Started++
	elsewhere.Boot = "another boot"
	if later.alive() || elsewhere.alive() {
		t.Errorf("same id, other start %t, other boot %t", later.alive(), elsewhere.alive())
	}
}

func TestKillSparesAProcessThatTookOverTheID(t *testing.T) {
	_, p := sleeper(t)
	foreign := p
	foreign.Started++
	if err := foreign.kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !p.alive() {
		t.Error("a process was killed for another's record")
	}
}

func TestKillEndsTheProcessAndIsContentWithADeadOne(t *testing.T) {
	cmd, p := sleeper(t)
	if err := p.kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Until it is waited for, it is a zombie, and a zombie is dead.
	for deadline := time.Now().Add(10 * time.Second); p.alive(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the killed process still runs after 10 s")
		}
	}
	_ = cmd.Wait()
	if err := p.kill(unix.SIGKILL); err != nil {
		t.Errorf("kill of a dead process: %v", err)
	}
}

func cluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := New(t.TempDir(), "test", &Steps{W: os.Stderr, Now: time.Now}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRecordedSkipsWhatProvesNothing(t *testing.T) {
	c := cluster(t)
	want := process{Name: "etcd", PID: 4711, Started: 12, Boot: "b"}
	if err := c.record(want); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"cut": `{"name":"ku`, "init": `{"name":"init","pid":1}`, "none": `{}`} {
		if err := os.WriteFile(c.path("processes", name+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.recorded()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]process{want}, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestOwnedFindsProcessesByTheirMarkAlone(t *testing.T) {
	c := cluster(t)
	_, ours := sleeper(t, ownerVariable+"="+c.Dir)
	sleeper(t, ownerVariable+"="+c.Dir+"-other")
	sleeper(t, "X"+ownerVariable+"="+c.Dir)
	// The environment of a process is that of its parent until it has become its program.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got, err := c.owned()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 1 && got[0].PID == ours.PID {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("owned: %v, want the one process %d", got, ours.PID)
		}
	}
}

func TestFoldersBelowListsTheDeepestFirst(t *testing.T) {
	root := filepath.Join(t.TempDir(), "pods")
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := foldersBelow(root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{deep, filepath.Dir(deep), root}, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	if none, err := foldersBelow(filepath.Join(root, "missing")); err != nil || len(none) != 0 {
		t.Errorf("below nothing: %v, %v", none, err)
	}
}
