package clients

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

//go:embed node/package.json node/package-lock.json node/.npmrc node/*.mjs
var embedded embed.FS

// installTimeout bounds npm, with cold caches on a slow line.
const installTimeout = 10 * time.Minute

// Files that decide what npm installs.
var lockFiles = []string{"package.json", "package-lock.json", ".npmrc"}

// Node is an installation that scripts can run in. Install makes it.
type Node struct {
	// Binary is the Node program.
	Binary string
	// Dir holds the scripts.
	Dir string
	// programs is where npm put the packages' own programs.
	programs string
}

// Install makes sure that the locked packages are in dir, or in the user's cache
// folder if dir is empty, and returns the installation. It may run in several
// processes at once; what is there already costs nothing.
func Install(ctx context.Context, dir string) (Node, error) {
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return Node{}, fmt.Errorf("user cache folder: %w", err)
		}
		dir = filepath.Join(cache, "mcpauth", "clients")
	}
	files, err := fs.Sub(embedded, "node")
	if err != nil {
		return Node{}, err
	}
	packages, err := hashed(dir, files, lockFiles)
	if err != nil {
		return Node{}, err
	}
	if err := once(packages, func(tmp string) error { return installPackages(ctx, tmp, files) }); err != nil {
		return Node{}, fmt.Errorf("install the npm packages: %w", err)
	}
	scripts, err := installScripts(packages, files)
	if err != nil {
		return Node{}, fmt.Errorf("install the scripts: %w", err)
	}
	binary, err := nodeBinary(packages)
	return Node{Binary: binary, Dir: scripts, programs: filepath.Join(packages, "node_modules", ".bin")}, err
}

// installPackages fills a new folder with what the lock file names.
func installPackages(ctx context.Context, dir string, files fs.FS) error {
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	npm, err := findNPM(ctx)
	if err != nil {
		return err
	}
	if err := copyFiles(dir, files, lockFiles); err != nil {
		return err
	}
	// No install scripts: the lock file's hashes cover everything that runs.
	_, err = command(ctx, dir, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	return err
}

// installScripts puts the scripts below the packages, where Node finds the
// latter, in a folder that is theirs alone: they change more often.
func installScripts(packages string, files fs.FS) (string, error) {
	names, err := fs.Glob(files, "*.mjs")
	if err != nil {
		return "", err
	}
	dir, err := hashed(filepath.Join(packages, "scripts"), files, names)
	if err != nil {
		return "", err
	}
	return dir, once(dir, func(tmp string) error { return copyFiles(tmp, files, names) })
}

// hashed is the folder below base that the contents of the files name.
func hashed(base string, files fs.FS, names []string) (string, error) {
	hash := sha256.New()
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(data))
		hash.Write(data)
	}
	return filepath.Join(base, hex.EncodeToString(hash.Sum(nil)[:8])), nil
}

// once makes dir by filling a folder beside it and renaming that, so that a dir
// that exists is whole. Of several who do so at once, one wins.
func once(dir string, fill func(tmp string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return err
	}
	err = os.Rename(tmp, dir)
	if _, statErr := os.Stat(dir); statErr == nil {
		return nil
	}
	return err
}

func copyFiles(dir string, files fs.FS, names []string) error {
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return nil
}

// ErrNoNode means that npm has no Node program for this kind of machine.
var ErrNoNode = errors.New("no Node program for this system")
