package shared

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// program is any dynamic executable of this machine.
func program(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("shared libraries are looked up on Linux alone")
	}
	path, err := exec.LookPath("ls")
	if err != nil {
		t.Skip("there is no dynamic executable to look at: ", err)
	}
	if linker, _, _, err := read(path); err != nil || linker == "" {
		t.Skip("ls is no dynamic executable here")
	}
	return path
}

func TestNeededNamesTheLinkerAndEveryLibraryOnce(t *testing.T) {
	paths, err := Needed(program(t))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil || seen[filepath.Base(path)] {
			t.Errorf("%s: %v, twice: %v", path, err, seen[filepath.Base(path)])
		}
		seen[filepath.Base(path)] = true
	}
	if !strings.HasPrefix(filepath.Base(paths[0]), "ld-") || !seen["libc.so.6"] {
		t.Errorf("got %v", paths)
	}
}

func TestNeededFollowsWhatIsOpenedAtRunTime(t *testing.T) {
	if _, err := Needed(program(t), "libabsent.so.9"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a library that is not there: got %v", err)
	}
}

func TestAFileThatIsNoExecutableIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Needed(path); err == nil {
		t.Error("a script has libraries")
	}
}
