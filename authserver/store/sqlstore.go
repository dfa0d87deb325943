package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// sqlStore is the one implementation on SQL. Its statements are those that SQLite
// and PostgreSQL share, and each is right under READ COMMITTED: one that has
// waited for a row looks at the row again.
type sqlStore struct {
	db database
}

var _ Store = (*sqlStore)(nil)

// Ping says whether the database answers.
func (s *sqlStore) Ping(ctx context.Context) error {
	var one int
	err := s.db.read(ctx, func(ctx context.Context, q statements) error {
		return q.row(ctx, "SELECT 1").Scan(&one)
	})
	if err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// Close implements Store.
func (s *sqlStore) Close() error { return s.db.close() }

// find reads one row into targets and fails with ErrNotFound where there is none.
func (s *sqlStore) find(ctx context.Context, what, statement string, args, targets []any) error {
	if !storable(args...) {
		return ErrNotFound
	}
	err := s.db.read(ctx, func(ctx context.Context, q statements) error {
		return q.row(ctx, statement, args...).Scan(targets...)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// listRows reads all rows of a statement, each into the targets of a new T.
func listRows[T any](ctx context.Context, db database, targets func(*T) []any, statement string, args ...any) ([]T, error) {
	var all []T
	err := db.read(ctx, func(ctx context.Context, q statements) error {
		rows, err := q.rows(ctx, statement, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for all = nil; rows.Next(); {
			var one T
			if err := rows.Scan(targets(&one)...); err != nil {
				return err
			}
			all = append(all, one)
		}
		return rows.Err()
	})
	return all, err
}

// execute changes rows by one statement and returns how many.
func (s *sqlStore) execute(ctx context.Context, what, statement string, args ...any) (int64, error) {
	if !storable(args...) {
		return 0, fmt.Errorf("%s: %w", what, errUnstorable)
	}
	var changed int64
	err := s.db.change(ctx, func(ctx context.Context, q statements) (err error) {
		changed, err = q.exec(ctx, statement, args...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return changed, nil
}

// errUnstorable keeps both databases alike: PostgreSQL stores no such text.
var errUnstorable = errors.New("a text holds a NUL or is not UTF-8")

// storable reports whether every text among the values can be stored. What cannot
// is not there either.
func storable(values ...any) bool {
	for _, value := range values {
		if text, ok := value.(string); ok && (!utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0) {
			return false
		}
	}
	return true
}
