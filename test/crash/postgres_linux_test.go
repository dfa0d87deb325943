package crash_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
)

// TestAttack16_NothingIsLostAndNothingHappensTwiceWhenPostgreSQLIsKilled kills all of
// the database's processes while the authorization server goes on.
func TestAttack16_NothingIsLostAndNothingHappensTwiceWhenPostgreSQLIsKilled(t *testing.T) {
	database := newDatabaseServer(t, postgrestest.Start(t))
	w := newWorld(t, orders{URL: database.url})
	w.start(t)
	apps := newApps(t, w, busyApps)
	var lost losses
	for round := range 4 {
		busyUntil(t, apps, func() { database.kill(t) })
		database.kill(t) // who was missed because it had just begun
		lost.count(apps)
		database.restart(t)
		w.awaitDatabase(t, apps[0])
		checkPostgreSQL(t, w.URL)
		together(t, apps, func(a *app) error { return a.afterwards(t.Context()) })
		if t.Failed() {
			t.Fatalf("round %d failed; the server says:\n%s", round, &w.running.errors)
		}
	}
	lost.report(t)
}

// awaitDatabase waits until the server has its database again.
func (w *world) awaitDatabase(t *testing.T, a *app) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		_, err := a.post(t.Context(), codePath, nil)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for the server to serve again: %v\nthe server says:\n%s", patience, err, &w.running.errors)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// databaseServer is a PostgreSQL that a test kills and starts again.
type databaseServer struct {
	url, data string
	// line is the command line that it was started with.
	line []string
	// ended is closed when the process that we have started has ended; nil before.
	ended chan struct{}
}

// argument is one of those in the file postmaster.opts.
var argument = regexp.MustCompile(`"([^"]*)"`)

// newDatabaseServer finds the server of a URL of postgrestest.
func newDatabaseServer(t *testing.T, text string) *databaseServer {
	t.Helper()
	parsed, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s := &databaseServer{url: text, data: filepath.Join(parsed.Query().Get("host"), "data")}
	options, err := os.ReadFile(filepath.Join(s.data, "postmaster.opts"))
	if err != nil {
		t.Fatal(err)
	}
	program, rest, _ := strings.Cut(string(options), " ")
	s.line = []string{program}
	for _, found := range argument.FindAllStringSubmatch(rest, -1) {
		s.line = append(s.line, found[1])
	}
	t.Cleanup(func() { s.kill(t) })
	return s
}

// postmaster is the id of the server's main process, 0 where it has none.
func (s *databaseServer) postmaster() int {
	content, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// kill ends all processes of the server at once, and returns when they are gone.
func (s *databaseServer) kill(t *testing.T) {
	t.Helper()
	main := s.postmaster()
	if main == 0 || !alive(main) {
		return
	}
	// It starts no further ones before it is killed.
	_ = syscall.Kill(main, syscall.SIGSTOP)
	all := append(childrenOf(main), main)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range all {
		for deadline := time.Now().Add(patience); alive(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("process %d of PostgreSQL does not end", pid)
				return
			}
		}
	}
	if s.ended != nil {
		<-s.ended
		s.ended = nil
	}
}

// restart starts the server again as whoever owns its data, and waits until it has
// recovered.
func (s *databaseServer) restart(t *testing.T) {
	t.Helper()
	info, err := os.Stat(s.data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	var said output
	cmd := exec.Command(s.line[0], s.line[1:]...)
	cmd.Dir, cmd.Env = filepath.Dir(s.data), []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	s.ended = make(chan struct{})
	started := make(chan error, 1)
	go func(ended chan struct{}) {
		// Linux takes the end of this thread for that of our process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}(s.ended)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := connects(t.Context(), s.url)
		if err == nil {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("PostgreSQL ended: %s", &said)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL does not recover: %v: %s", err, &said)
		}
	}
}

func connects(ctx context.Context, text string) error {
	conn, err := pgx.Connect(ctx, text)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// alive reports whether a process runs, other than one that only waits for its parent.
func alive(pid int) bool {
	_, state, err := readStat(pid)
	return err == nil && state != "Z"
}

// childrenOf are the processes that a process has started.
func childrenOf(parent int) []int {
	var found []int
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is fine
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		if of, _, err := readStat(pid); err == nil && of == parent {
			found = append(found, pid)
		}
	}
	return found
}

func readStat(pid int) (parent int, state string, err error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, "", err
	}
	text := string(content)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, "", fmt.Errorf("the process %d has the stat %q", pid, text)
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, fields[0], err
}
