package store

import (
	"context"
	"database/sql"
)

// statements runs SQL, as a part of a task.
type statements interface {
	// exec returns how many rows the statement changed.
	exec(ctx context.Context, statement string, args ...any) (int64, error)
	// row is for statements that return at most one row.
	row(ctx context.Context, statement string, args ...any) *sql.Row
	rows(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// task is what a verb does in the database. It may run more than once, each time
// after its changes so far were undone, and uses the context that it is given. An
// error undoes its changes; a decision that undoes nothing, such as that a code is
// spent, is no error of the task.
type task func(ctx context.Context, q statements) error

// database is where SQLite and PostgreSQL differ. A task whose caller gave up
// before its turn came does not run, and fails with the error of the caller's
// context; one that has begun is brought to its end, so that its caller knows how
// it ended.
type database interface {
	// read runs a task that changes nothing.
	read(ctx context.Context, t task) error
	// change runs a task of one statement. It is durable when change returns.
	change(ctx context.Context, t task) error
	// transact runs a task of several statements, all or nothing, and durable when
	// transact returns.
	transact(ctx context.Context, t task) error
	// redeem spends a code and creates its grant within a change; the bool is false
	// where there is no unspent code that is not expired.
	redeem(ctx context.Context, q statements, hash string, now int64) (Grant, bool, error)
	close() error
}

// runner is what a connection, a pool and a transaction of database/sql share.
type runner interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, statement string, args ...any) *sql.Row
	QueryContext(ctx context.Context, statement string, args ...any) (*sql.Rows, error)
}

// plain runs statements as they are.
type plain struct{ runner }

func (p plain) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := p.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (p plain) row(ctx context.Context, statement string, args ...any) *sql.Row {
	return p.QueryRowContext(ctx, statement, args...)
}

func (p plain) rows(ctx context.Context, statement string, args ...any) (*sql.Rows, error) {
	return p.QueryContext(ctx, statement, args...)
}
