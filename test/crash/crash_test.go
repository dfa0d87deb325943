package crash_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"; the store's package registers "sqlite"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
)

const (
	// busyApps are at work at the same time.
	busyApps = 8
	// A crash comes after something between these, while they are.
	soonest, latest = 20 * time.Millisecond, 150 * time.Millisecond
	// hangUp is how long after a crash an app waits for an answer.
	hangUp = 2 * time.Second
)

func TestAttack16_NothingIsLostAndNothingHappensTwiceWhenTheServerIsKilledOnSQLite(t *testing.T) {
	w := newWorld(t, orders{File: filepath.Join(t.TempDir(), "mcpauth.db")})
	killAndRestart(t, w, 20, func() { checkSQLite(t, w.File) })
}

func TestAttack16_NothingIsLostAndNothingHappensTwiceWhenTheServerIsKilledOnPostgreSQL(t *testing.T) {
	w := newWorld(t, orders{URL: postgrestest.Start(t)})
	killAndRestart(t, w, 6, func() { checkPostgreSQL(t, w.URL) })
}

// killAndRestart kills the server while the apps are busy, again and again, and holds
// them against what they had. check looks at the database after each death.
func killAndRestart(t *testing.T, w *world, rounds int, check func()) {
	t.Helper()
	apps := newApps(t, w, busyApps)
	w.start(t)
	var lost losses
	for round := range rounds {
		busyUntil(t, apps, func() { _ = w.running.cmd.Process.Kill() }) // SIGKILL, which is what this is about
		w.kill()
		lost.count(apps)
		check()
		w.start(t)
		together(t, apps, func(a *app) error { return a.afterwards(t.Context()) })
		if t.Failed() {
			t.Fatalf("round %d failed; the server says:\n%s", round, &w.running.errors)
		}
	}
	lost.report(t)
	w.kill()
	check()
}

// busyUntil lets the apps be busy until a crash at a random moment.
func busyUntil(t *testing.T, apps []*app, crash func()) {
	t.Helper()
	delay := soonest + rand.N(latest-soonest)
	t.Logf("the crash comes after %s", delay)
	over, end := context.WithCancel(t.Context())
	ctx, cut := context.WithCancel(t.Context())
	defer cut()
	crashed := make(chan struct{})
	time.AfterFunc(delay, func() {
		defer close(crashed)
		crash()
		end()
		// Who has connected since then waits in vain.
		time.AfterFunc(hangUp, cut)
	})
	together(t, apps, func(a *app) error { return a.busy(ctx, over) })
	<-crashed
}

// losses are answers that never came.
type losses struct{ codes, refreshes int }

func (l *losses) count(apps []*app) {
	for _, a := range apps {
		l.codes += len(a.lost)
		l.refreshes += a.unanswered
		a.unanswered = 0
	}
}

// report fails a test that has lost no answer: it has tested nothing.
func (l *losses) report(t *testing.T) {
	t.Helper()
	t.Logf("the answers to %d codes and %d refresh tokens were lost", l.codes, l.refreshes)
	if l.codes+l.refreshes == 0 {
		t.Error("no answer was lost in all crashes")
	}
}

func TestADatabaseIsWholeWhenTheServerIsKilledDuringItsFirstStartOnSQLite(t *testing.T) {
	for round := range 16 {
		w := newWorld(t, orders{File: filepath.Join(t.TempDir(), "mcpauth.db")})
		killWhileOpening(t, w, time.Duration(round)*2*time.Millisecond)
		checkSQLite(t, w.File)
		firstSteps(t, w)
		checkSQLite(t, w.File)
	}
}

func TestADatabaseIsWholeWhenTheServerIsKilledDuringItsFirstStartOnPostgreSQL(t *testing.T) {
	postgrestest.Start(t) // keeps the server for all rounds
	for round := range 8 {
		w := newWorld(t, orders{URL: postgrestest.Start(t)})
		killWhileOpening(t, w, time.Duration(round)*8*time.Millisecond)
		firstSteps(t, w)
		checkPostgreSQL(t, w.URL)
	}
}

// killWhileOpening kills the server some time after it began to open its database.
func killWhileOpening(t *testing.T, w *world, delay time.Duration) {
	t.Helper()
	w.launch(t)
	w.await(t, saysOpening)
	time.Sleep(delay) // which is what this is about
	w.kill()
}

// firstSteps starts the server again and uses it.
func firstSteps(t *testing.T, w *world) {
	t.Helper()
	w.start(t)
	a := newApps(t, w, 1)[0]
	if err := errors.Join(a.begin(t.Context()), a.afterwards(t.Context())); err != nil {
		t.Errorf("%v\nthe server says:\n%s", err, &w.running.errors)
	}
	w.kill()
}

// checkSQLite looks at a copy of what a dead server has left behind, so that the next
// one finds it as it was.
func checkSQLite(t *testing.T, file string) {
	t.Helper()
	folder := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, file+suffix, filepath.Join(folder, "copy.db"+suffix))
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the database is damaged: %s, %v", verdict, err)
	}
	var migrated int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema WHERE name = 'grants'").Scan(&migrated); err != nil {
		t.Errorf("read the schema: %v", err)
	}
	if migrated == 1 {
		checkCodes(t, db)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(target, source)
	if err := errors.Join(err, target.Close()); err != nil {
		t.Fatal(err)
	}
}

func checkPostgreSQL(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	checkCodes(t, db)
}

// checkCodes holds codes against grants: a code is spent exactly where its grant
// exists.
func checkCodes(t *testing.T, db *sql.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"codes are spent without a grant":      "SELECT count(*) FROM codes WHERE spent_at > 0 AND grant_id NOT IN (SELECT grant_id FROM grants)",
		"grants exist whose code is not spent": "SELECT count(*) FROM codes WHERE spent_at = 0 AND grant_id IN (SELECT grant_id FROM grants)",
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d %s, %v", n, what, err)
		}
	}
}
