// Package shared finds the shared libraries that a dynamic executable needs on this machine, so
// that an image of nothing else can hold them.
package shared

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// folders are where the dynamic linker looks when nothing else tells it, with one for each
// architecture that Debian's layout has.
func folders() []string {
	found := []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	for _, pattern := range []string{"/lib/*-linux-gnu", "/usr/lib/*-linux-gnu"} {
		matches, _ := filepath.Glob(pattern) // fails for malformed patterns only
		found = append(found, matches...)
	}
	return found
}

// Needed returns the paths of the libraries that the executable, or one of those that it opens by
// name at run time, cannot do without: the dynamic linker first. It fails with fs.ErrNotExist
// where one is missing.
func Needed(executable string, opened ...string) ([]string, error) {
	linker, names, machine, err := read(executable)
	if err != nil {
		return nil, err
	}
	if linker == "" {
		return nil, fmt.Errorf("%s is a static executable, which opens nothing", executable)
	}
	paths := []string{linker}
	waiting := append(names, opened...)
	for len(waiting) > 0 {
		name := waiting[0]
		waiting = waiting[1:]
		if slices.ContainsFunc(paths, func(p string) bool { return filepath.Base(p) == name }) {
			continue
		}
		path, more, err := find(name, machine)
		if err != nil {
			return nil, err
		}
		paths, waiting = append(paths, path), append(waiting, more...)
	}
	return paths, nil
}

// find looks a library of the machine's kind up and says which others it needs.
func find(name string, machine elf.Machine) (string, []string, error) {
	for _, folder := range folders() {
		path := filepath.Join(folder, name)
		_, names, found, err := read(path)
		if err == nil && found == machine {
			return path, names, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.As(err, new(*elf.FormatError)) {
			return "", nil, err
		}
	}
	return "", nil, fmt.Errorf("library %s: %w", name, fs.ErrNotExist)
}

func read(path string) (linker string, names []string, machine elf.Machine, err error) {
	if _, err := os.Stat(path); err != nil {
		return "", nil, 0, err
	}
	file, err := elf.Open(path)
	if err != nil {
		return "", nil, 0, err
	}
	defer file.Close()
	if names, err = file.ImportedLibraries(); err != nil {
		return "", nil, 0, fmt.Errorf("read %s: %w", path, err)
	}
	for _, p := range file.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text := make([]byte, p.Filesz)
		if _, err := p.ReadAt(text, 0); err != nil {
			return "", nil, 0, fmt.Errorf("read %s: %w", path, err)
		}
		linker = strings.TrimRight(string(text), "\x00")
	}
	return linker, names, file.Machine, nil
}
