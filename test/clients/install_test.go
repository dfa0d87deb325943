package clients

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// onlyPrograms makes dir the only place where programs are found.
func onlyPrograms(t *testing.T, scripts map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return dir
}

func TestRootOnDebianGetsNPMInstalled(t *testing.T) {
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		t.Skip("not root on Debian")
	}
	dir := onlyPrograms(t, map[string]string{
		"apt-get": `test "$1" = update || { echo '#!/bin/sh' > "${0%/*}/npm" && /bin/chmod +x "${0%/*}/npm"; }`,
	})
	npm, err := findNPM(t.Context())
	if want := filepath.Join(dir, "npm"); err != nil || npm != want {
		t.Errorf("got %q, %v, want %q", npm, err, want)
	}
}

func TestAMachineWithoutNPMIsToldSo(t *testing.T) {
	onlyPrograms(t, map[string]string{"apt-get": "echo no network >&2; exit 100"})
	if _, err := findNPM(t.Context()); !errors.Is(err, ErrNoNPM) {
		t.Errorf("got %v, want ErrNoNPM", err)
	}
}

func TestAFailedInstallLeavesNothingAndSaysWhatNPMSaid(t *testing.T) {
	onlyPrograms(t, map[string]string{"npm": "echo registry unreachable >&2; exit 1"})
	dir := t.TempDir()
	_, err := Install(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "registry unreachable") {
		t.Errorf("got %v, want what npm said", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOfSeveralAtOnceOneFillsTheFolderAndAllSucceed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "target")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			err := once(dir, func(tmp string) error {
				return os.WriteFile(filepath.Join(tmp, "whole"), []byte("yes"), 0o644)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if data, err := os.ReadFile(filepath.Join(dir, "whole")); err != nil || string(data) != "yes" {
		t.Errorf("the folder holds %q, %v", data, err)
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the folder: %v, %v", entries, err)
	}
}
