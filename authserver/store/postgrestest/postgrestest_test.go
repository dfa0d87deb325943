package postgrestest

import (
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEveryDatabaseIsFreshAndDurable(t *testing.T) {
	for range 2 {
		conn, err := pgx.Connect(t.Context(), Start(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE TABLE only_once (n BIGINT)"); err != nil {
			t.Errorf("the database is not fresh: %v", err)
		}
		var fsync, commit, encoding string
		err = conn.QueryRow(t.Context(), "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_setting('server_encoding')").
			Scan(&fsync, &commit, &encoding)
		if err != nil || fsync != "on" || commit != "on" || encoding != "UTF8" {
			t.Errorf("got fsync=%s, synchronous_commit=%s, encoding %s, error %v", fsync, commit, encoding, err)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	dir, err := os.MkdirTemp("", "pt") // a test's own folder has too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // its owner differs from the server's
		t.Fatal(err)
	}
	instance, err := StartInstance(t.Context(), dir)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	database, err := instance.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	instance.Stop()
	instance.Stop()
	if _, err := pgx.Connect(t.Context(), database); err == nil {
		t.Error("the server still answers")
	}
	if err := instance.process.cmd.Process.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the process is still there: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the folder holds %v (%v)", left, err)
	}
}

func TestDebiansPackageStartsNoServerOfItsOwn(t *testing.T) {
	tests := []struct{ name, settings, want string }{
		{"no settings", "", "\ncreate_main_cluster = false\n"},
		{"commented out", "a = b\n#create_main_cluster = true\nc = d\n", "a = b\ncreate_main_cluster = false\nc = d\n"},
		{"on", "create_main_cluster = true", "create_main_cluster = false"},
		{"off", "create_main_cluster = false\n", "create_main_cluster = false\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(withoutCluster([]byte(tt.settings))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
