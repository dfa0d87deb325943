package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// groupSize bounds how many tasks share a commit, and so how long the first of
// them waits for the others.
const groupSize = 64

var errClosed = errors.New("the store is closed")

// group is the one writer of a SQLite database. Tasks that wait for it share a
// transaction, so that one sync of the disk makes all of them durable; each caller
// is answered after it. A task that fails takes nobody with it: the transaction is
// undone and every task of it runs again by itself.
type group struct {
	db *sql.DB
	// prepared are the statements that are worth it, by their text.
	prepared map[string]*sql.Stmt
	// waiting hands a task over when its turn has come; nobody is in it otherwise.
	waiting chan *member
	closing chan struct{}
	ended   chan struct{}
	close   sync.Once
}

// member is a task whose turn has come.
type member struct {
	task task
	// result is to be read when done is closed.
	result error
	done   chan struct{}
}

func newGroup(db *sql.DB, prepared map[string]*sql.Stmt) *group {
	g := &group{
		db: db, prepared: prepared,
		waiting: make(chan *member), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	go g.work()
	return g
}

// run returns when the task is durable, or was undone. A caller who gives up while
// the task waits for its turn takes it away.
func (g *group) run(ctx context.Context, t task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m := &member{task: t, done: make(chan struct{})}
	select {
	case g.waiting <- m:
		<-m.done
		return m.result
	case <-ctx.Done():
		return ctx.Err()
	case <-g.closing:
		return errClosed
	}
}

// stop ends the writer after the group at hand.
func (g *group) stop() {
	g.close.Do(func() { close(g.closing) })
	<-g.ended
}

func (g *group) work() {
	defer close(g.ended)
	for {
		select {
		case first := <-g.waiting:
			g.serve(first)
		case <-g.closing:
			return
		}
	}
}

// serve brings the first member, and those who wait by then, to their end.
func (g *group) serve(first *member) {
	members := []*member{first}
	err := g.transact(func(ctx context.Context, q statements) error {
		for m := first; m != nil; {
			if err := m.task(ctx, q); err != nil {
				return err
			}
			if m = g.next(len(members)); m != nil {
				members = append(members, m)
			}
		}
		return nil
	})
	for _, m := range members {
		m.result = err
		if err != nil && len(members) > 1 {
			m.result = g.transact(m.task)
		}
		close(m.done)
	}
}

// next is who waits now, or nil where nobody does or the group has as many members
// as it may.
func (g *group) next(members int) *member {
	if members >= groupSize {
		return nil
	}
	select {
	case m := <-g.waiting:
		return m
	default:
		return nil
	}
}

// transact runs the task under no caller's context, since it may be that of many.
func (g *group) transact(t task) error {
	ctx := context.Background()
	tx, err := g.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := t(ctx, &preparedTx{plain: plain{tx}, tx: tx, prepared: g.prepared}); err != nil {
		_ = tx.Rollback() // SQLite may have done it by itself
		return err
	}
	return tx.Commit()
}
