package oci

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func binary(t *testing.T, content string) Binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	return Binary{Path: path, Architecture: "arm64"}
}

func imageOf(t *testing.T, b Binary) v1.Image {
	t.Helper()
	image, err := b.Image()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestImageRunsTheBinaryAsANumericUser(t *testing.T) {
	config, err := imageOf(t, binary(t, "content")).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/tool"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	if config.Config.User != "65532:65532" || config.OS != "linux" || config.Architecture != "arm64" {
		t.Errorf("user %q, os %q, architecture %q", config.Config.User, config.OS, config.Architecture)
	}
	if !config.Created.IsZero() && config.Created.Unix() > 0 {
		t.Errorf("the image carries the time of its making: %v", config.Created)
	}
}

func TestImageHoldsTheBinaryExecutableForEverybody(t *testing.T) {
	layers, err := imageOf(t, binary(t, "content")).Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	got := map[string]int64{}
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = header.Mode
	}
	if diff := cmp.Diff(map[string]int64{"tmp/": 0o1777, "tool": 0o755}, got); diff != "" {
		t.Errorf("files and modes (-want +got):\n%s", diff)
	}
}

func TestImageOfTheSameBinaryIsTheSame(t *testing.T) {
	first, err := imageOf(t, binary(t, "content")).Digest()
	if err != nil {
		t.Fatal(err)
	}
	again, err := imageOf(t, binary(t, "content")).Digest()
	if err != nil {
		t.Fatal(err)
	}
	other, err := imageOf(t, binary(t, "other")).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if first != again || first == other {
		t.Errorf("same content: %s and %s; other content: %s", first, again, other)
	}
}

func TestWriteLeavesAnArchiveThatHoldsTheImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tool.tar")
	image, other := imageOf(t, binary(t, "content")), imageOf(t, binary(t, "other"))
	steps := []struct {
		name      string
		reference string
		image     v1.Image
		before    func()
		want      bool
	}{
		{name: "there is none", reference: "mcpauth/tool:dev", image: image, want: true},
		{name: "the same image again", reference: "mcpauth/tool:dev", image: image, want: false},
		{name: "another tag", reference: "mcpauth/tool:v2", image: image, want: true},
		{name: "another image", reference: "mcpauth/tool:v2", image: other, want: true},
		{name: "the archive is cut short", reference: "mcpauth/tool:v2", image: other, want: true, before: func() {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, step := range steps {
		if step.before != nil {
			step.before()
		}
		written, err := Write(path, step.reference, step.image)
		if err != nil || written != step.want {
			t.Errorf("%s: written %t, %v; want %t", step.name, written, err, step.want)
		}
	}
	read, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := other.ConfigName(); got != want {
		t.Errorf("the archive holds %s, want %s", got, want)
	}
}

func TestWriteRefusesAReferenceThatIsNone(t *testing.T) {
	if _, err := Write(filepath.Join(t.TempDir(), "x.tar"), "No Reference", imageOf(t, binary(t, "content"))); err == nil {
		t.Error("no error")
	}
}

func TestImageHasTheLibrariesWhereTheyAreHere(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libexample.so.1")
	if err := os.WriteFile(library, []byte("library"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := binary(t, "content")
	b.Libraries = []string{library}
	layers, err := imageOf(t, b).Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("the image has no %s", library)
		}
		if err != nil {
			t.Fatal(err)
		}
		if "/"+header.Name == library {
			return
		}
	}
}
