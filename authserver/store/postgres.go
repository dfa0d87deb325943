package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// PostgreSQLConfig says where a PostgreSQL store keeps its data.
type PostgreSQLConfig struct {
	// URL is postgres://user:password@host:port/database with libpq's parameters, such
	// as sslmode; no error and no log quotes it. The role must own the schema, and a
	// connection pooler in between has to pool sessions.
	URL string
	// MaxConnections bounds the connections of this process; zero means 16.
	MaxConnections int
	// Logger tells of migrations; nil discards.
	Logger *slog.Logger
}

// Bounds on waiting. Behind a partition or a lock nobody waits for longer.
const (
	defaultConnections = 16
	// connectTimeout is for one address, unless the URL sets another one, and
	// openTimeout for all of them at the start.
	connectTimeout = 5 * time.Second
	openTimeout    = 20 * time.Second
	// statementTimeout is the server's for one statement, also where it waits for a
	// lock.
	statementTimeout = 5 * time.Second
	// taskTimeout is for a task of several statements, and ours: the server may be
	// out of reach.
	taskTimeout = 15 * time.Second
	// connectionLifetime lets connections follow a server that has moved.
	connectionLifetime = time.Hour
)

// taskTries bounds how often a task is tried that PostgreSQL undid for the sake of
// another one, or that found its connection gone.
const taskTries = 3

// readTries bounds how often a read is repeated: more often than there are broken
// connections in a pool of the usual size.
const readTries = defaultConnections

var errURL = errors.New("its URL cannot be read; it has to be like postgres://user:password@host:5432/database?sslmode=verify-full")

// OpenPostgreSQL opens, migrating as needed, a store on PostgreSQL, which several
// processes may share. A database that a newer version has migrated is refused.
func OpenPostgreSQL(ctx context.Context, config PostgreSQLConfig) (Store, error) {
	logger := config.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	parsed, err := parseURL(config.URL)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := preparePostgreSQL(ctx, parsed, logger); err != nil {
		return nil, fmt.Errorf("prepare the database: %w", err)
	}
	connections := config.MaxConnections
	if connections <= 0 {
		connections = defaultConnections
	}
	setDefault(parsed.RuntimeParams, "statement_timeout", inMilliseconds(statementTimeout))
	setDefault(parsed.RuntimeParams, "lock_timeout", inMilliseconds(statementTimeout))
	// A process that stops in the middle of a task holds its locks no longer.
	setDefault(parsed.RuntimeParams, "idle_in_transaction_session_timeout", inMilliseconds(taskTimeout))
	db := stdlib.OpenDB(*parsed)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(connectionLifetime)
	return &sqlStore{db: &postgres{db: db}}, nil
}

func parseURL(url string) (*pgx.ConnConfig, error) {
	parsed, err := pgx.ParseConfig(url)
	if url == "" || err != nil {
		return nil, errURL // the parser's own error quotes the URL
	}
	if parsed.ConnectTimeout == 0 {
		parsed.ConnectTimeout = connectTimeout
	}
	setDefault(parsed.RuntimeParams, "application_name", "mcpauth")
	// What the statements are written for, whatever the role's default is.
	parsed.RuntimeParams["default_transaction_isolation"] = "read committed"
	return parsed, nil
}

func setDefault(params map[string]string, name, value string) {
	if _, ok := params[name]; !ok {
		params[name] = value
	}
}

func inMilliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// preparePostgreSQL migrates, on connections of its own: a migration may take
// longer than any request.
func preparePostgreSQL(ctx context.Context, config *pgx.ConnConfig, logger *slog.Logger) error {
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if err := inspect(ctx, db, config.RuntimeParams); err != nil {
		return err
	}
	// Of processes that start at once one migrates and the others wait for it.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	return migrate(ctx, goose.DialectPostgres, db, logger, goose.WithSessionLocker(locker))
}

// inspect connects for the first time, refuses a database that would not keep
// every text, and makes commits durable where they are not by default.
func inspect(ctx context.Context, db *sql.DB, params map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var encoding, commit string
	err := db.QueryRowContext(ctx, "SELECT current_setting('server_encoding'), current_setting('synchronous_commit')").Scan(&encoding, &commit)
	switch {
	case err != nil:
		return fmt.Errorf("connect to it: %w", err)
	case encoding != "UTF8":
		return fmt.Errorf("its encoding is %s and has to be UTF8: create it with ENCODING 'UTF8' TEMPLATE template0", encoding)
	case commit == "off":
		params["synchronous_commit"] = "on"
	}
	return nil
}

// postgres is a database that other processes share. Its driver keeps statements
// prepared, by their text, on each connection.
type postgres struct {
	db *sql.DB
}

// read keeps to the caller's deadline too: there is no outcome to learn. For the
// same reason it may run again when its connection has broken, as all do at once
// when the server starts anew.
func (p *postgres) read(ctx context.Context, t task) error {
	for try := 1; ; try++ {
		err := p.readOnce(ctx, t)
		if !broken(err) || ctx.Err() != nil || try > readTries {
			return err
		}
	}
}

// broken reports whether an error is the connection's, and nothing that the server
// answered.
func broken(err error) bool {
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (p *postgres) readOnce(ctx context.Context, t task) error {
	deadline, bounded := ctx.Deadline()
	return p.with(ctx, func(ctx context.Context, conn *sql.Conn) error {
		if bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline)
			defer cancel()
		}
		return t(ctx, plain{conn})
	})
}

// change needs no transaction around one statement: it is one.
func (p *postgres) change(ctx context.Context, t task) error {
	return p.with(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return again(func() error { return t(ctx, plain{conn}) })
	})
}

func (p *postgres) transact(ctx context.Context, t task) error {
	return p.with(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return again(func() error {
			tx, err := conn.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if err := t(ctx, plain{tx}); err != nil {
				_ = tx.Rollback() // the first error says more
				return err
			}
			return tx.Commit()
		})
	})
}

func (p *postgres) redeem(ctx context.Context, q statements, hash string, now int64) (Grant, bool, error) {
	return redeemInOneStatement(ctx, q, hash, now)
}

func (p *postgres) close() error { return p.db.Close() }

// with waits for a connection as long as the caller does. What runs on it then is
// bounded by time alone: to give a statement up costs a connection. A connection
// that turns out to be gone before anything was sent is replaced.
func (p *postgres) with(ctx context.Context, run func(context.Context, *sql.Conn) error) error {
	for try := 1; ; try++ {
		err := p.once(ctx, run)
		if !errors.Is(err, driver.ErrBadConn) || try == taskTries {
			return err
		}
	}
}

func (p *postgres) once(ctx context.Context, run func(context.Context, *sql.Conn) error) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // gives it back
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), taskTimeout)
	defer cancel()
	return run(ctx, conn)
}

// again repeats what PostgreSQL undid because two tasks waited for each other, or
// could not be put into an order.
func again(run func() error) error {
	for try := 1; ; try++ {
		err := run()
		var failed *pgconn.PgError
		undone := errors.As(err, &failed) && (failed.Code == "40P01" || failed.Code == "40001")
		if !undone || try == taskTries {
			return err
		}
	}
}
