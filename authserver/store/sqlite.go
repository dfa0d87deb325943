package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/pressly/goose/v3"
)

// Config says where a SQLite store keeps its data.
type Config struct {
	// Path is the database file, made with mode 0600 where it does not exist; its
	// folder must exist. Empty means in memory: everything is lost on Close.
	Path string
	// Logger tells of migrations; nil discards.
	Logger *slog.Logger
}

// readers is how many look-ups run beside each other and beside the writer.
const readers = 4

// Pragmas of every connection. FULL makes a commit durable before it is
// answered: a code that was redeemed stays redeemed through a power cut. The
// busy timeout, in milliseconds, bounds the wait for another process.
const (
	pragmasAll    = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	pragmasWriter = pragmasAll + "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	pragmasReader = pragmasAll + "&_pragma=query_only(1)"
)

// OpenSQLite opens, creating and migrating as needed, a store on SQLite. A
// database that a newer version has migrated is refused.
func OpenSQLite(ctx context.Context, config Config) (Store, error) {
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	open := openMemory
	if config.Path != "" {
		open = func() (writer, reader *sql.DB, err error) { return openFile(config.Path) }
	}
	writer, reader, err := open()
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := migrate(ctx, goose.DialectSQLite3, writer, logger); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the database: %w", err), closePools(writer, reader))
	}
	db, err := newSQLite(ctx, writer, reader)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the statements: %w", err), closePools(writer, reader))
	}
	return &sqlStore{db: db}, nil
}

// sqlite is a database of this process, and perhaps of others on this machine.
type sqlite struct {
	// writer and reader may be the same.
	writer, reader *sql.DB
	reading        preparedPool
	group          *group
}

func newSQLite(ctx context.Context, writer, reader *sql.DB) (*sqlite, error) {
	reads, err := prepare(ctx, reader, preparedReads)
	if err != nil {
		return nil, err
	}
	changes, err := prepare(ctx, writer, preparedChanges)
	if err != nil {
		return nil, err
	}
	return &sqlite{
		writer: writer, reader: reader,
		reading: preparedPool{plain{reader}, reads}, group: newGroup(writer, changes),
	}, nil
}

// read spends no goroutine on watching the caller: look-ups take microseconds.
func (s *sqlite) read(ctx context.Context, t task) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return t(context.WithoutCancel(ctx), s.reading)
}

func (s *sqlite) change(ctx context.Context, t task) error { return s.group.run(ctx, t) }

func (s *sqlite) transact(ctx context.Context, t task) error { return s.group.run(ctx, t) }

func (s *sqlite) redeem(ctx context.Context, q statements, hash string, now int64) (Grant, bool, error) {
	return redeemByStep(ctx, q, hash, now)
}

func (s *sqlite) close() error {
	s.group.stop()
	return closePools(s.writer, s.reader)
}

// closePools closes the readers first, so that the writer, as the last one, can
// fold the write-ahead log into the database.
func closePools(writer, reader *sql.DB) error {
	var err error
	if reader != writer {
		err = reader.Close()
	}
	return errors.Join(err, writer.Close())
}

// openMemory shares one connection, because an in-memory database is its
// connection.
func openMemory() (writer, reader *sql.DB, err error) {
	db, err := openPool("file::memory:?"+pragmasAll+"&_txlock=immediate", 1)
	return db, db, err
}

// openFile has one writing connection, since SQLite has one writer anyway and
// waiting in Go is fairer than its busy timeout, and several that only read.
func openFile(path string) (writer, reader *sql.DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if err := createPrivate(path); err != nil {
		return nil, nil, err
	}
	// The URL form escapes what SQLite would take for its own in a file's name.
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
	writer, err = openPool(dsn+"?"+pragmasWriter, 1)
	if err != nil {
		return nil, nil, err
	}
	reader, err = openPool(dsn+"?"+pragmasReader, readers)
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	return writer, reader, nil
}

// createPrivate makes the file before SQLite would make it readable by others;
// SQLite gives the files beside it the same mode. The mode of an existing file is
// its owner's business: a volume may need its group.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// openPool keeps its connections open: a connection's pragmas and page cache
// cost more than an idle connection does.
func openPool(dsn string, connections int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}
