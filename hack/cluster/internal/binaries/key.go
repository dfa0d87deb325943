package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// keyLength is the number of hexadecimal digits of a key: 48 bits tell builds of one machine apart.
const keyLength = 12

// Platform is the operating system and architecture that programs are built for, in Go's words.
type Platform struct {
	OS, Arch string
}

func (p Platform) String() string { return p.OS + "-" + p.Arch }

// buildFlags are the arguments of `go build` that decide the content of a program.
func (p Program) buildFlags() []string {
	return []string{"-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=" + strings.Join(p.LDFlags, " ")}
}

// storeName is the program's folder in the store. It changes with everything that would change
// the program, except for the Go toolchain: a patch release of Go is no reason to build for a
// quarter of an hour.
func (p Program) storeName(repo string, on Platform) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\nCGO_ENABLED=0\n", p.Package, on, strings.Join(p.buildFlags(), "\n"))
	for _, source := range p.Sources {
		if err := hashFile(h, repo, source); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s-%s-%s-%s", p.Name, p.Version, on, hex.EncodeToString(h.Sum(nil))[:keyLength]), nil
}

// setName names a set after all that is in it.
func setName(storeNames []string) string {
	sum := sha256.Sum256([]byte(strings.Join(storeNames, "\n")))
	return hex.EncodeToString(sum[:])[:keyLength]
}

// hashFile writes the name, size and content of a file, so that no two sequences of files hash alike.
func hashFile(w io.Writer, repo, name string) error {
	content, err := os.ReadFile(filepath.Join(repo, filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("read a build input: %w", err)
	}
	fmt.Fprintf(w, "%s %d\n", name, len(content))
	_, err = w.Write(content)
	return err
}
