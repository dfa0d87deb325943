package authservertest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
)

// DatabaseVariable names the environment variable that says what New keeps state
// in: "postgresql" for a PostgreSQL that the test program starts, anything else for
// SQLite in memory.
const DatabaseVariable = "MCPAUTH_TEST_DATABASE"

func onPostgreSQL() bool { return os.Getenv(DatabaseVariable) == "postgresql" }

func openStore(t testing.TB) (store.Store, error) {
	t.Helper()
	if onPostgreSQL() {
		return store.OpenPostgreSQL(context.Background(), store.PostgreSQLConfig{URL: postgrestest.Start(t), MaxConnections: 8})
	}
	return store.OpenSQLite(context.Background(), store.Config{})
}

// Main runs a program's tests, on one PostgreSQL where they are to have one. It is
// for a TestMain and returns the exit code.
func Main(m *testing.M) int {
	if onPostgreSQL() {
		release, err := postgrestest.Keep(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer release()
	}
	return m.Run()
}
