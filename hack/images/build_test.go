package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// repo is a module with one program.
func repo(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module example.test/x\n\ngo 1.26\n", "hello/main.go": source} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestBuilderMakesTheSameImageOfTheSameSource(t *testing.T) {
	b := builder{repo: repo(t, "package main\n\nfunc main() {}\n"), out: t.TempDir(), arch: "amd64", tag: "dev"}
	chosen := []image{{name: "hello", pkg: "./hello"}}
	first, err := b.all(context.Background(), chosen)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.all(context.Background(), chosen)
	if err != nil {
		t.Fatal(err)
	}
	if first[0] != second[0] {
		t.Errorf("two builds of one source: %v and %v", first[0], second[0])
	}
	if first[0].reference != "mcpauth/hello:dev" || !strings.HasPrefix(first[0].digest, "sha256:") {
		t.Errorf("result: %+v", first[0])
	}
	if _, err := os.Stat(first[0].file); err != nil {
		t.Errorf("archive: %v", err)
	}
}

func TestBuilderShowsWhatTheCompilerSays(t *testing.T) {
	b := builder{repo: repo(t, "package main\n\nfunc main() { undefinedName() }\n"), out: t.TempDir(), arch: "amd64", tag: "dev"}
	_, err := b.all(context.Background(), []image{{name: "hello", pkg: "./hello"}})
	if err == nil || !strings.Contains(err.Error(), "undefinedName") {
		t.Errorf("error: %v", err)
	}
}

func TestAProgramWhoseLibrariesAreNotHereIsStatic(t *testing.T) {
	b := builder{repo: repo(t, "package main\n\nfunc main() {}\n"), out: t.TempDir(), arch: "amd64", tag: "dev"}
	plain, err := b.all(context.Background(), []image{{name: "hello", pkg: "./hello"}})
	if err != nil {
		t.Fatal(err)
	}
	without, err := b.all(context.Background(), []image{{name: "hello", pkg: "./hello", opens: []string{"libabsent.so.9"}}})
	if err != nil {
		t.Fatal(err)
	}
	if without[0].digest != plain[0].digest {
		t.Errorf("got %v, want the image of the static program %v", without[0], plain[0])
	}
}
