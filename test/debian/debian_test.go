package debian_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/test/debian"
)

// onlyPrograms makes a new folder the only place where programs are found, and
// for locks.
func onlyPrograms(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMPDIR", dir)
	return dir
}

func rootOnDebian(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		t.Skip("not root on Debian")
	}
}

// brings is an apt-get whose install makes the program "thing".
const brings = `test "$1" = install || exit 0; echo '#!/bin/sh' > "${0%/*}/thing" && /bin/chmod +x "${0%/*}/thing"`

func TestAProgramThatIsThereIsFoundWithoutInstalling(t *testing.T) {
	dir := onlyPrograms(t, map[string]string{"thing": "", "apt-get": "echo called > ${0%/*}/called"})
	path, err := debian.Program(t.Context(), "thing", "things")
	if want := filepath.Join(dir, "thing"); err != nil || path != want {
		t.Errorf("got %q, %v, want %q", path, err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "called")); err == nil {
		t.Error("something was installed")
	}
}

func TestAMissingProgramIsInstalled(t *testing.T) {
	rootOnDebian(t)
	tests := []struct{ name, aptGet string }{
		{"at once", brings},
		{"after the lists are brought up to date", `d=${0%/*}; test "$1" = update && { echo > "$d/updated"; exit 0; }; test -e "$d/updated" || exit 100; ` + brings},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := onlyPrograms(t, map[string]string{"apt-get": tt.aptGet})
			path, err := debian.Program(t.Context(), "thing", "things")
			if want := filepath.Join(dir, "thing"); err != nil || path != want {
				t.Errorf("got %q, %v, want %q", path, err, want)
			}
		})
	}
}

func TestAFailureSaysWhatIsMissingAndWhatAptGetSaid(t *testing.T) {
	rootOnDebian(t)
	onlyPrograms(t, map[string]string{"apt-get": "echo no network >&2; exit 100"})
	_, err := debian.Program(t.Context(), "thing", "things")
	if err == nil || !strings.Contains(err.Error(), "apt-get install things") || !strings.Contains(err.Error(), "no network") {
		t.Errorf("got %v", err)
	}
}

func TestAPackageWithoutTheProgramIsAnError(t *testing.T) {
	rootOnDebian(t)
	onlyPrograms(t, map[string]string{"apt-get": ""})
	if path, err := debian.Program(t.Context(), "thing", "things"); err == nil {
		t.Errorf("found %q", path)
	}
}

func TestWhoCannotInstallIsToldSo(t *testing.T) {
	if _, err := os.Stat("/etc/debian_version"); err == nil && os.Geteuid() == 0 {
		t.Skip("root on Debian")
	}
	onlyPrograms(t, nil)
	if _, err := debian.Program(t.Context(), "thing", "things"); !errors.Is(err, debian.ErrNotInstallable) {
		t.Errorf("got %v, want ErrNotInstallable", err)
	}
}

func TestAnInstallationEndsWithItsContext(t *testing.T) {
	rootOnDebian(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	onlyPrograms(t, map[string]string{"apt-get": "exec /bin/sleep 60"})
	if err := debian.Ensure(ctx, "things"); err == nil {
		t.Error("it went on")
	}
}
