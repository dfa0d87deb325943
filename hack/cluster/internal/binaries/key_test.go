package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout makes a repository with the files of a program.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	repo := t.TempDir()
	for name, content := range files {
		path := filepath.Join(repo, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}

func TestStoreNameChangesWithAllThatChangesTheProgram(t *testing.T) {
	files := map[string]string{"hack/build/etcd/go.mod": "module a", "hack/build/etcd/go.sum": "sum"}
	linux := Platform{OS: "linux", Arch: "amd64"}
	base := func() Program { return upstream("etcd", etcdVersion, "go.etcd.io/etcd/server/v3") }
	want, err := base().storeName(checkout(t, files), linux)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		sum    string
		on     Platform
		change func(*Program)
		same   bool
	}{
		{name: "nothing, in another checkout", same: true},
		{name: "go.sum", sum: "other"},
		{name: "version", change: func(p *Program) { p.Version = "v0.0.1" }},
		{name: "linker flags", change: func(p *Program) { p.LDFlags = append(p.LDFlags, "-X a.b=c") }},
		{name: "package", change: func(p *Program) { p.Package += "/other" }},
		{name: "architecture", on: Platform{OS: "linux", Arch: "arm64"}},
		{name: "operating system", on: Platform{OS: "darwin", Arch: "amd64"}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			changed := map[string]string{"hack/build/etcd/go.mod": "module a", "hack/build/etcd/go.sum": "sum"}
			if tc.sum != "" {
				changed["hack/build/etcd/go.sum"] = tc.sum
			}
			on, p := linux, base()
			if tc.on != (Platform{}) {
				on = tc.on
			}
			if tc.change != nil {
				tc.change(&p)
			}
			got, err := p.storeName(checkout(t, changed), on)
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != tc.same {
				t.Errorf("%s before, %s after", want, got)
			}
		})
	}
}

func TestStoreNameTellsProgramAndVersion(t *testing.T) {
	repo := checkout(t, map[string]string{"hack/build/coredns/go.mod": "module a", "hack/build/coredns/go.sum": ""})
	name, err := upstream("coredns", coreDNSVersion, "x").storeName(repo, Platform{OS: "linux", Arch: "arm64"})
	if err != nil || !strings.HasPrefix(name, "coredns-"+coreDNSVersion+"-linux-arm64-") {
		t.Errorf("%s, %v", name, err)
	}
}

func TestStoreNameWithoutTheBuildInputsFails(t *testing.T) {
	if _, err := kubernetes("kubelet").storeName(t.TempDir(), Platform{OS: "linux", Arch: "amd64"}); err == nil {
		t.Error("no error without go.mod")
	}
}

func TestEveryProgramOfTheNodeHasItsInputsInTheRepository(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Node() {
		if seen[p.Name] {
			t.Errorf("%s twice", p.Name)
		}
		seen[p.Name] = true
		if _, err := p.storeName("../../../..", Platform{OS: "linux", Arch: "amd64"}); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	for _, p := range Envtest() {
		if !seen[p.Name] {
			t.Errorf("the node lacks %s of envtest", p.Name)
		}
	}
}

func TestEverySourceOfOurOwnProgramsIsInTheirKey(t *testing.T) {
	for _, p := range Node() {
		if p.Module != "." {
			continue
		}
		files, err := filepath.Glob(filepath.Join("../../../..", p.Package, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := filepath.ToSlash(filepath.Join(p.Package, filepath.Base(file)))
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "/doc.go") {
				continue
			}
			if !strings.Contains(strings.Join(p.Sources, " ")+" ", name+" ") {
				t.Errorf("%s is not among the sources of %s: a change of it would not be built", name, p.Name)
			}
		}
	}
}

func TestKubernetesIsToldItsVersion(t *testing.T) {
	flags := strings.Join(kubernetes("kubelet").LDFlags, " ")
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
		"-X k8s.io/component-base/version.gitMajor=1",
		"-X k8s.io/client-go/pkg/version.gitMinor=37",
	} {
		if !strings.Contains(flags+" ", want+" ") {
			t.Errorf("no %q in %s", want, flags)
		}
	}
}
