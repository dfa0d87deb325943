package postgrestest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
)

// shared is the one instance of a test program: it runs while a test needs it.
var shared struct {
	sync.Mutex
	instance *Instance
	users    int
}

// Start gives the URL of a fresh, empty database. The server behind it serves all
// tests of the program that run at the time, and ends with the last of them; a
// test that calls Start before its subtests do keeps it for them. Where there is
// no PostgreSQL the test is skipped.
func Start(t testing.TB) string {
	t.Helper()
	instance, err := acquire(t.Context())
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(letGo)
	database, err := instance.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return database
}

// Keep starts the test program's instance and holds on to it until release is
// called: for a TestMain whose tests would each start one otherwise.
func Keep(ctx context.Context) (release func(), err error) {
	if _, err := acquire(ctx); err != nil {
		return nil, err
	}
	return sync.OnceFunc(letGo), nil
}

func acquire(ctx context.Context) (*Instance, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.instance == nil {
		instance, err := StartInstance(ctx, os.TempDir())
		if err != nil {
			return nil, err
		}
		shared.instance = instance
	}
	shared.users++
	return shared.instance, nil
}

func letGo() {
	shared.Lock()
	defer shared.Unlock()
	if shared.users--; shared.users == 0 {
		shared.instance.Stop()
		shared.instance = nil
	}
}
