// Package samples gives tests the sample manifests of the project, at addresses of
// their own.
package samples

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Copy copies the samples of the checkout at root into a new folder, with texts
// replaced in pairs of old and new, such as strings.NewReplacer takes them.
func Copy(t *testing.T, root string, replace ...string) (folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config/samples/[0-9]*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the samples are not there: %v", err)
	}
	replacer := strings.NewReplacer(replace...)
	folder = t.TempDir()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), []byte(replacer.Replace(string(content))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
