package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

func TestTheDatabasesURLIsReadFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(path, []byte(" postgresql://me:pw@db/mcpauth\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if url, err := readDatabaseURL(path); err != nil || url != "postgresql://me:pw@db/mcpauth" {
		t.Errorf("url is %q, %v", url, err)
	}
}

func TestADatabaseWithoutAURLIsNotOpened(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(t.TempDir(), "none"), "empty": empty} {
		opened, err := options{data: t.TempDir(), postgresqlURLFile: path}.openStore(t.Context(), slog.New(slog.DiscardHandler))
		if err == nil || opened != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: opened %v, error %v", name, opened, err)
		}
	}
}

func TestWithoutAURLTheDatabaseIsAFile(t *testing.T) {
	folder := t.TempDir()
	opened, err := options{data: folder}.openStore(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	if _, err := os.Stat(filepath.Join(folder, "mcpauth.db")); err != nil {
		t.Error(err)
	}
}

func TestThereIsOneDatabase(t *testing.T) {
	cmd := command(keyring.Options{})
	cmd.SetArgs([]string{"--namespace", "a", "--name", "b", "--data", "x", "--postgresql-url-file", "y"})
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	err := cmd.ExecuteContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), "postgresql-url-file") {
		t.Errorf("error is %v", err)
	}
}
