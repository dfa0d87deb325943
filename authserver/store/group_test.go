package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// openGroup opens a writer on a table of numbers.
func openGroup(t *testing.T) *group {
	t.Helper()
	db, err := openPool("file:"+filepath.Join(t.TempDir(), "group.db")+"?"+pragmasWriter, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := newGroup(db, nil)
	t.Cleanup(func() {
		g.stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := g.run(t.Context(), func(ctx context.Context, q statements) error {
		_, err := q.exec(ctx, "CREATE TABLE numbers (n BIGINT NOT NULL PRIMARY KEY)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return g
}

func add(n int) task {
	return func(ctx context.Context, q statements) error {
		_, err := q.exec(ctx, "INSERT INTO numbers (n) VALUES ($1)", n)
		return err
	}
}

func wantNumbers(t *testing.T, g *group, want int) {
	t.Helper()
	var got int
	if err := g.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM numbers").Scan(&got); err != nil || got != want {
		t.Errorf("the table holds %d numbers (%v), want %d", got, err, want)
	}
}

// blocked lets a task begin that ends when release is closed, and waits until it
// has begun.
func blocked(g *group) (release chan struct{}, result chan error) {
	begun := make(chan struct{}, 2) // the task may run again
	release, result = make(chan struct{}), make(chan error, 1)
	go func() {
		result <- g.run(context.Background(), func(context.Context, statements) error {
			begun <- struct{}{}
			<-release
			return nil
		})
	}()
	<-begun
	return release, result
}

func TestTasksThatWaitShareACommit(t *testing.T) {
	g := openGroup(t)
	release, first := blocked(g)
	const others = 20
	results := make(chan error, others)
	for n := range others {
		go func() { results <- g.run(t.Context(), add(n)) }()
	}
	select {
	case err := <-results:
		t.Errorf("a task was answered while the group is under way: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	for range others {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantNumbers(t, g, others)
}

func TestATaskThatFailsUndoesItselfAlone(t *testing.T) {
	g := openGroup(t)
	failure := errors.New("no")
	release, first := blocked(g)
	results := make(chan error, 11)
	for n := range 10 {
		go func() { results <- g.run(t.Context(), add(n)) }()
	}
	go func() {
		results <- g.run(t.Context(), func(ctx context.Context, q statements) error {
			return errors.Join(add(100)(ctx, q), failure)
		})
	}()
	close(release)
	failed := 0
	for range 11 {
		if err := <-results; errors.Is(err, failure) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if err := <-first; err != nil || failed != 1 {
		t.Errorf("%d tasks failed, want 1; the first one: %v", failed, err)
	}
	wantNumbers(t, g, 10)
}

func TestATaskWhoseCallerGaveUpBeforeItsTurnDoesNotRun(t *testing.T) {
	g := openGroup(t)
	release, first := blocked(g)
	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- g.run(ctx, add(1)) }()
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantNumbers(t, g, 0)
}

func TestATaskThatHasBegunEndsThoughItsCallerGivesUp(t *testing.T) {
	g := openGroup(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := g.run(ctx, func(inner context.Context, q statements) error {
		cancel()
		return errors.Join(inner.Err(), add(1)(inner, q))
	})
	if err != nil {
		t.Errorf("got error %v, though it happened", err)
	}
	wantNumbers(t, g, 1)
}

func TestAClosedGroupRefusesAndHoldsNobody(t *testing.T) {
	g := openGroup(t)
	g.stop()
	g.stop()
	if err := g.run(t.Context(), add(1)); !errors.Is(err, errClosed) {
		t.Errorf("got error %v, want %v", err, errClosed)
	}
}

func TestAGroupHasRoomForSoMany(t *testing.T) {
	g := openGroup(t)
	results := make(chan error, 3*groupSize)
	release, first := blocked(g)
	for n := range cap(results) {
		go func() { results <- g.run(t.Context(), add(n)) }()
	}
	close(release)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantNumbers(t, g, cap(results))
}
