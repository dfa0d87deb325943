package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// ErrUnavailable means that PostgreSQL is not on the machine and could not be put
// there.
var ErrUnavailable = errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")

// installTimeout bounds the installation of the package.
const installTimeout = 5 * time.Minute

// findPrograms is the folder of initdb and postgres; root on Debian gets them
// installed.
func findPrograms(ctx context.Context) (string, error) {
	if folder := installedPrograms(); folder != "" {
		return folder, nil
	}
	if _, err := os.Stat("/etc/debian_version"); err != nil || os.Geteuid() != 0 {
		return "", ErrUnavailable
	}
	if err := install(ctx); err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if folder := installedPrograms(); folder != "" {
		return folder, nil
	}
	return "", ErrUnavailable
}

// installedPrograms is the folder of the newest version, or empty.
func installedPrograms() string {
	newest, version := "", -1
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is fine
	for _, folder := range folders {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		if err == nil && n > version && hasPrograms(folder) {
			newest, version = folder, n
		}
	}
	if newest != "" {
		return newest
	}
	server, err := exec.LookPath("postgres")
	if err != nil || !hasPrograms(filepath.Dir(server)) {
		return ""
	}
	return filepath.Dir(server)
}

func hasPrograms(folder string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
			return false
		}
	}
	return true
}

// clusterSetting is the line by which Debian's package starts a server of its own.
var clusterSetting = regexp.MustCompile(`(?m)^\s*#?\s*create_main_cluster\s*=.*$`)

// install takes the package from Debian, and no server that it would start.
func install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	if err := aptGet(ctx, "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", "postgresql-common"); err != nil {
		return err
	}
	const settings = "/etc/postgresql-common/createcluster.conf"
	before, err := os.ReadFile(settings)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(settings, withoutCluster(before), 0o644); err != nil { //nolint:gosec // it is a setting that everybody reads
		return err
	}
	return aptGet(ctx, "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", "postgresql")
}

// withoutCluster turns the setting off, which is commented out at first.
func withoutCluster(settings []byte) []byte {
	const off = "create_main_cluster = false"
	if clusterSetting.Match(settings) {
		return clusterSetting.ReplaceAll(settings, []byte(off))
	}
	return append(settings, "\n"+off+"\n"...)
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.WaitDelay = 5 * time.Second // what it started may hold its output open
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, tail(output))
	}
	return nil
}
