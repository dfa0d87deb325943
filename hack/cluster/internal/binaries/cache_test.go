package binaries

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// toy is a program of a module that takes no download.
func toy(name string) Program {
	return Program{Name: name, Version: "v1", Package: "./" + name, Module: ".", Sources: []string{name + "/main.go"}}
}

// lines collects what is reported, from any goroutine.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func cache(t *testing.T, sources map[string]string) (*Cache, *lines) {
	t.Helper()
	files := map[string]string{"go.mod": "module example.test/toys\n\ngo 1.26\n"}
	for name, source := range sources {
		files[name+"/main.go"] = source
	}
	said := &lines{}
	return &Cache{
		Dir:      filepath.Join(t.TempDir(), "binaries"),
		Repo:     checkout(t, files),
		Platform: Platform{OS: runtime.GOOS, Arch: runtime.GOARCH},
		Progress: said,
		Now:      time.Now,
	}, said
}

const (
	saysHi = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hi\") }\n"
	broken = "package main\n\nfunc main() { undefinedName() }\n"
)

func TestEnsureBuildsOnceAndThenSaysNothing(t *testing.T) {
	c, said := cache(t, map[string]string{"hi": saysHi})
	folder, err := c.Ensure(context.Background(), []Program{toy("hi")})
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(filepath.Join(folder, "hi")).Output()
	if err != nil || string(output) != "hi\n" {
		t.Errorf("the program says %q, %v", output, err)
	}
	before := said.count("\n")
	again, err := c.Ensure(context.Background(), []Program{toy("hi")})
	if err != nil || again != folder {
		t.Errorf("second time: %s, %v; first %s", again, err, folder)
	}
	if said.count("\n") != before {
		t.Errorf("the second time reports: %s", said.b.String())
	}
}

func TestEnsureBuildsOnlyWhatAnotherSetLacks(t *testing.T) {
	c, said := cache(t, map[string]string{"hi": saysHi, "ho": saysHi})
	if _, err := c.Ensure(context.Background(), []Program{toy("hi")}); err != nil {
		t.Fatal(err)
	}
	folder, err := c.Ensure(context.Background(), []Program{toy("hi"), toy("ho")})
	if err != nil {
		t.Fatal(err)
	}
	if said.count("hi v1: building") != 1 || said.count("[1/1] ho v1: building") != 1 {
		t.Errorf("reported:\n%s", said.b.String())
	}
	for _, name := range []string{"hi", "ho"} {
		if !isFile(filepath.Join(folder, name)) {
			t.Errorf("%s is not in the set", name)
		}
	}
}

func TestEnsureAtOnceBuildsOnce(t *testing.T) {
	c, said := cache(t, map[string]string{"hi": saysHi})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := c.Ensure(context.Background(), []Program{toy("hi")}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := said.count("hi v1: building"); n != 1 {
		t.Errorf("built %d times:\n%s", n, said.b.String())
	}
}

func TestEnsureShowsTheCompilersErrorAndKeepsWhatIsComplete(t *testing.T) {
	c, _ := cache(t, map[string]string{"hi": saysHi, "bad": broken})
	_, err := c.Ensure(context.Background(), []Program{toy("hi"), toy("bad")})
	if err == nil || !strings.Contains(err.Error(), "undefinedName") || !strings.Contains(err.Error(), "build bad") {
		t.Fatalf("error: %v", err)
	}
	stored, err := filepath.Glob(filepath.Join(c.Dir, "store", "*"))
	if err != nil || len(stored) != 1 || !strings.HasPrefix(filepath.Base(stored[0]), "hi-") {
		t.Errorf("stored: %v, %v", stored, err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, "building-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEnsureRepairsAStoreThatSomebodyEmptied(t *testing.T) {
	c, _ := cache(t, map[string]string{"hi": saysHi})
	folder, err := c.Ensure(context.Background(), []Program{toy("hi")})
	if err != nil {
		t.Fatal(err)
	}
	target, err := filepath.EvalSymlinks(filepath.Join(folder, "hi"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Ensure(context.Background(), []Program{toy("hi")}); err != nil {
		t.Fatal(err)
	}
	if !isFile(target) {
		t.Error("the program was not built again")
	}
}

func TestEnsureStopsWithItsContext(t *testing.T) {
	c, _ := cache(t, map[string]string{"hi": saysHi})
	ctx, cancel := context.WithCancelCause(context.Background())
	gaveUp := errors.New("gave up")
	cancel(gaveUp)
	if _, err := c.Ensure(ctx, []Program{toy("hi")}); !errors.Is(err, gaveUp) {
		t.Errorf("error: %v", err)
	}
}
