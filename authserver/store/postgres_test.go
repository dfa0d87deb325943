package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/authserver/store/storetest"
)

func openPostgreSQL(t *testing.T, database string) store.Store {
	t.Helper()
	s, err := store.OpenPostgreSQL(t.Context(), store.PostgreSQLConfig{URL: database})
	if err != nil {
		t.Fatalf("OpenPostgreSQL: %v", err)
	}
	return s
}

func TestPostgreSQLIsAStore(t *testing.T) {
	postgrestest.Start(t) // one server for all of them
	storetest.Run(t, storetest.Backend{
		Create: func(t *testing.T) func(*testing.T) store.Store {
			database := postgrestest.Start(t)
			return func(t *testing.T) store.Store { return openPostgreSQL(t, database) }
		},
		Shared: true,
	})
}

func TestReplicasThatStartAtOnceMigratePostgreSQLTogether(t *testing.T) {
	database := postgrestest.Start(t)
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			s, err := store.OpenPostgreSQL(t.Context(), store.PostgreSQLConfig{URL: database})
			if err == nil {
				err = errors.Join(s.Ping(t.Context()), s.Close())
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("OpenPostgreSQL: %v", err)
		}
	}
}

func TestReopeningPostgreSQLKeepsEverything(t *testing.T) {
	database, now := postgrestest.Start(t), time.Now()
	s := openPostgreSQL(t, database)
	code := oneCode("code", now)
	must(t, s.CreateCode(t.Context(), code))
	_, err := s.RedeemCode(t.Context(), code.Hash, now)
	must(t, err)
	must(t, s.Close())
	s = openPostgreSQL(t, database)
	defer s.Close()
	if _, err := s.Grant(t.Context(), code.Grant.ID, now); err != nil {
		t.Errorf("Grant: %v", err)
	}
}

func TestPostgreSQLOfANewerVersionIsRefusedInWords(t *testing.T) {
	database := postgrestest.Start(t)
	must(t, openPostgreSQL(t, database).Close())
	execute(t, database, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
	_, err := store.OpenPostgreSQL(t.Context(), store.PostgreSQLConfig{URL: database})
	wantWords(t, err, "99999", "newer release", "backup")
}

func TestADatabaseThatWouldNotKeepEveryTextIsRefusedInWords(t *testing.T) {
	database := postgrestest.Start(t)
	execute(t, database, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	latin, err := url.Parse(database)
	must(t, err)
	latin.Path = "/latin"
	_, err = store.OpenPostgreSQL(t.Context(), store.PostgreSQLConfig{URL: latin.String()})
	wantWords(t, err, "LATIN1", "UTF8")
}

func TestCommitsAreDurableWhateverTheRolesDefaultIs(t *testing.T) {
	database := postgrestest.Start(t)
	execute(t, database, "ALTER DATABASE "+strings.TrimPrefix(mustParse(t, database).Path, "/")+" SET synchronous_commit = off")
	execute(t, database, "ALTER DATABASE "+strings.TrimPrefix(mustParse(t, database).Path, "/")+" SET default_transaction_isolation = 'serializable'")
	s := openPostgreSQL(t, database)
	defer s.Close()
	// The tables' own rules may ask what holds while they are written.
	execute(t, database, `CREATE FUNCTION settings() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF current_setting('synchronous_commit') <> 'on' OR current_setting('transaction_isolation') <> 'read committed'
			OR current_setting('statement_timeout') <> '5s' OR current_setting('lock_timeout') <> '5s'
		THEN RAISE EXCEPTION 'wrong settings'; END IF; RETURN NEW; END $$`)
	execute(t, database, "CREATE TRIGGER settings BEFORE INSERT ON codes FOR EACH ROW EXECUTE FUNCTION settings()")
	must(t, s.CreateCode(t.Context(), oneCode("code", time.Now())))
}

func TestErrorsOfPostgreSQLQuoteNoPassword(t *testing.T) {
	const password = "pass-word-of-the-database"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nobody := listener.Addr().String()
	must(t, listener.Close())
	tests := []struct{ name, url, says string }{
		{"nothing", "", "postgres://"},
		{"no URL", "password=" + password + " host", "postgres://"},
		{"a port that is none", "postgres://mcpauth:" + password + "@127.0.0.1:port/db", "postgres://"},
		{"an escape that is none", "postgres://mcpauth:" + password + "%zz@127.0.0.1/db", "postgres://"},
		{"a server that is not there", "postgres://mcpauth:" + password + "@" + nobody + "/db?sslmode=disable", "connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := store.OpenPostgreSQL(t.Context(), store.PostgreSQLConfig{URL: tt.url})
			if err == nil {
				must(t, s.Close())
				t.Fatal("OpenPostgreSQL opened it")
			}
			wantWords(t, err, tt.says)
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}

// A server that answers nothing must not hold up the start for ever.
func TestOpenGivesAServerUpThatDoesNotAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: "postgres://mcpauth@" + listener.Addr().String() + "/db?sslmode=disable"})
	wantWords(t, err, "connect")
}

func TestALockBoundsHowLongARequestWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a timeout of five seconds")
	}
	database, now := postgrestest.Start(t), time.Now()
	s := openPostgreSQL(t, database)
	defer s.Close()
	code := oneCode("code", now)
	must(t, s.CreateCode(t.Context(), code))
	db, err := sql.Open("pgx", database)
	must(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE codes")
	must(t, err)
	if _, err := s.RedeemCode(t.Context(), code.Hash, now); err == nil {
		t.Error("RedeemCode went past a lock")
	}
	must(t, tx.Rollback())
	if _, err := s.RedeemCode(t.Context(), code.Hash, now); err != nil {
		t.Errorf("RedeemCode afterwards: %v", err)
	}
}

func execute(t *testing.T, database, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", database)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	parsed, err := url.Parse(raw)
	must(t, err)
	return parsed
}

func wantWords(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}
