package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/authserver/store/storetest"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func open(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatalf("OpenSQLite: %v", err)
	}
	return s
}

func TestSQLiteInAFileIsAStore(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Create: func(t *testing.T) func(*testing.T) store.Store {
			path := filepath.Join(t.TempDir(), "a name? with #signs% in it.db")
			return func(t *testing.T) store.Store { return open(t, path) }
		},
		Shared: true,
	})
}

func TestSQLiteInMemoryIsAStore(t *testing.T) {
	storetest.Run(t, storetest.Backend{Create: func(*testing.T) func(*testing.T) store.Store {
		return func(t *testing.T) store.Store { return open(t, "") }
	}})
}

func TestInMemoryStoresShareNothing(t *testing.T) {
	first, second := open(t, ""), open(t, "")
	defer first.Close()
	defer second.Close()
	for _, s := range []store.Store{first, second} {
		if err := s.CreateRegistration(t.Context(), store.Registration{ClientID: "same"}, store.Quota{}); err != nil {
			t.Errorf("CreateRegistration: %v", err)
		}
	}
}

// oneCode is a redeemable code whose secret parts the caller knows.
func oneCode(code string, now time.Time) store.Code {
	return store.Code{
		Hash: credential.HashOf(code), Expires: now.Add(time.Minute),
		Grant: store.Grant{
			ID: "grant-of-" + code[:4], ClientID: "agent", Refreshable: true, Generation: 1, Created: now,
			IdleExpires: now.Add(time.Hour), MaxExpires: now.Add(2 * time.Hour),
		},
	}
}

func TestReopeningTheFileKeepsEverything(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "store.db"), time.Now().UTC().Truncate(time.Millisecond)
	s := open(t, path)
	registration := store.Registration{ClientID: "reg", Name: "kept", Created: now}
	spent, unspent := oneCode("code-1-spent", now), oneCode("unspent", now)
	must(t, s.CreateRegistration(t.Context(), registration, store.Quota{}))
	must(t, s.CreateCode(t.Context(), spent))
	must(t, s.CreateCode(t.Context(), unspent))
	_, err := s.RedeemCode(t.Context(), spent.Hash, now)
	must(t, err)
	rotated, err := s.RotateRefresh(t.Context(), store.Rotation{
		GrantID: spent.Grant.ID, Generation: 1, Now: now, IdleExpires: now.Add(time.Hour),
	})
	must(t, err)
	must(t, s.Close())

	s = open(t, path)
	defer s.Close()
	if got, err := s.Registration(t.Context(), "reg", now); err != nil || got.Name != "kept" {
		t.Errorf("Registration: got %q, %v", got.Name, err)
	}
	got, err := s.Grant(t.Context(), spent.Grant.ID, now)
	must(t, err)
	if diff := cmp.Diff(rotated, got); diff != "" {
		t.Errorf("the rotated grant (-before +after):\n%s", diff)
	}
	if code, err := s.Code(t.Context(), spent.Hash); err != nil || !code.Spent {
		t.Errorf("the spent code: got spent=%v, %v", code.Spent, err)
	}
	if _, err := s.RedeemCode(t.Context(), unspent.Hash, now); err != nil {
		t.Errorf("the unspent code: %v", err)
	}
}

// What was answered has happened: a process that is killed leaves its write-ahead
// log, and the next one reads it.
func TestAnsweredRequestsSurviveAProcessThatIsKilled(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := open(t, filepath.Join(dir, "store.db"))
	defer s.Close()
	code := oneCode("code", now)
	must(t, s.CreateCode(t.Context(), code))
	_, err := s.RedeemCode(t.Context(), code.Hash, now)
	must(t, err)

	after := filepath.Join(t.TempDir(), "store.db")
	for _, suffix := range []string{"", "-wal"} { // as they lie on the disk, nothing closed
		data, err := os.ReadFile(filepath.Join(dir, "store.db"+suffix))
		must(t, err)
		must(t, os.WriteFile(after+suffix, data, 0o600))
	}
	again := open(t, after)
	defer again.Close()
	if _, err := again.Grant(t.Context(), code.Grant.ID, now); err != nil {
		t.Errorf("Grant: %v", err)
	}
}

func TestTwoStoresOnOneFileAgree(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "store.db"), time.Now()
	stores := []store.Store{open(t, path), open(t, path)}
	for _, s := range stores {
		defer s.Close()
	}
	code := oneCode("code", now)
	must(t, stores[0].CreateCode(t.Context(), code))
	results := make(chan error, 40)
	for i := range cap(results) {
		go func() {
			_, err := stores[i%2].RedeemCode(t.Context(), code.Hash, now)
			results <- err
		}()
	}
	won := 0
	for range cap(results) {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, store.ErrSpent) {
			t.Errorf("RedeemCode: got error %v, want %v", err, store.ErrSpent)
		}
	}
	if won != 1 {
		t.Errorf("%d redeemed the code, want 1", won)
	}
}

func TestProcessesThatStartAtOnceMigrateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			s, err := store.OpenSQLite(t.Context(), store.Config{Path: path})
			if err == nil {
				err = errors.Join(s.Ping(t.Context()), s.Close())
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Errorf("OpenSQLite: %v", err)
		}
	}
}

func TestTheFilesHoldNoSecretAndAreTheOwnersAlone(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	s := open(t, filepath.Join(dir, "store.db"))
	defer s.Close()
	secret, code := credential.NewSecret(), "mcpcode_"+credential.Random(32)
	must(t, s.CreateRegistration(t.Context(), store.Registration{ClientID: "reg-in-the-file", Secret: credential.HashOf(secret)}, store.Quota{}))
	must(t, s.CreateCode(t.Context(), oneCode(code, now)))
	_, err := s.RedeemCode(t.Context(), credential.HashOf(code), now)
	must(t, err)

	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []byte
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", entry.Name(), info.Mode().Perm())
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		must(t, err)
		all = append(all, data...)
	}
	if !bytes.Contains(all, []byte("reg-in-the-file")) {
		t.Fatal("the files do not hold the registration: the search below would prove nothing")
	}
	for name, text := range map[string]string{"client secret": secret, "code": code} {
		if bytes.Contains(all, []byte(text)) {
			t.Errorf("the files hold the %s", name)
		}
	}
}

func TestADatabaseOfANewerVersionIsRefusedInWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	must(t, open(t, path).Close())
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	must(t, err)
	must(t, db.Close())

	_, err = store.OpenSQLite(t.Context(), store.Config{Path: path})
	if err == nil {
		t.Fatal("OpenSQLite opened it")
	}
	for _, part := range []string{"99999", "newer release", "backup"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	content := []byte(strings.Repeat("this is somebody's diary\n", 100))
	must(t, os.WriteFile(path, content, 0o600))
	if _, err := store.OpenSQLite(t.Context(), store.Config{Path: path}); err == nil {
		t.Fatal("OpenSQLite opened it")
	}
	got, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, content) {
		t.Error("the file was changed")
	}
}

func TestAFolderThatIsMissingIsAnErrorAtOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "store.db")
	if _, err := store.OpenSQLite(t.Context(), store.Config{Path: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenSQLite: %v, want that it does not exist", err)
	}
}

func TestPingFailsOnceTheStoreIsClosed(t *testing.T) {
	s := open(t, "")
	must(t, s.Ping(t.Context()))
	must(t, s.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Ping(ctx); err == nil {
		t.Error("Ping answered")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
