//go:build linux

package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	// tailLines and tailBytes bound what an error shows of a log.
	tailLines = 12
	tailBytes = 8 << 10
)

func (c *Cluster) logFile(component string) string { return c.path("logs", component+".log") }

// Logs writes the log of a component.
func (c *Cluster) Logs(w io.Writer, component string) error {
	var known []string
	found := false
	for _, candidate := range c.components() {
		known = append(known, candidate.name)
		found = found || candidate.name == component
	}
	if !found {
		return fmt.Errorf("no component %q: there are %s", component, strings.Join(known, ", "))
	}
	file, err := os.Open(c.logFile(component))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s of cluster %s has not run: there is no log", component, c.Name)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// tail reads the end of a log.
func tail(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	end := io.NewSectionReader(file, max(0, info.Size()-tailBytes), tailBytes)
	content, err := io.ReadAll(end)
	return lastLines(content, tailLines), err
}
