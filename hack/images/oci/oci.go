// Package oci makes container images of single binaries, without a container engine: an empty
// image, one layer with the binary and the libraries that it needs, an entrypoint. The same files
// give the same image, bit for bit.
package oci

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// nonRoot is the numeric user and group of distroless images. It is a number so that
// runAsNonRoot can be checked without an /etc/passwd.
const nonRoot = "65532:65532"

// Binary is an executable that becomes an image.
type Binary struct {
	// Path is the executable on this machine. The image's entrypoint is /NAME, NAME being the
	// last element of Path.
	Path string
	// Architecture is the executable's, as in GOARCH.
	Architecture string
	// Libraries are the absolute paths of the files that the executable opens on this machine; the
	// image has them at the same paths. A static executable has none.
	Libraries []string
}

// Image returns the image of the binary for Linux. It has no time stamps but the epoch's.
func (b Binary) Image() (v1.Image, error) {
	content, err := b.layer()
	if err != nil {
		return nil, fmt.Errorf("make the layer of %s: %w", b.Path, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", b.Architecture
	config.Config.Entrypoint = []string{"/" + filepath.Base(b.Path)}
	config.Config.User = nonRoot
	config.Config.WorkingDir = "/"
	return mutate.ConfigFile(image, config)
}

// layer is a tar archive with the executable, its libraries, and the /tmp that programs take for
// granted.
func (b Binary) layer() ([]byte, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, err
	}
	if err := add(w, filepath.Base(b.Path), b.Path); err != nil {
		return nil, err
	}
	for _, library := range b.Libraries {
		if err := add(w, strings.TrimPrefix(library, "/"), library); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

func add(w *tar.Writer, name, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// Write writes the image as an archive that `ctr images import`, `docker load` and `kind load
// image-archive` read, under the given reference (repository:tag). It reports false, and leaves
// the file as it is, when the file holds that very image under that very reference already.
func Write(path, reference string, image v1.Image) (written bool, err error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return false, fmt.Errorf("image reference: %w", err)
	}
	same, err := holds(path, tag, image)
	if err != nil || same {
		return false, err
	}
	// A reader never sees half an archive.
	temporary := path + ".tmp"
	defer os.Remove(temporary)
	if err := tarball.WriteToFile(temporary, tag, image); err != nil {
		return false, fmt.Errorf("write %s: %w", path, err)
	}
	return true, os.Rename(temporary, path)
}

// holds reports whether the archive has the image. An archive that cannot be read has not.
func holds(path string, tag name.Tag, image v1.Image) (bool, error) {
	want, err := image.ConfigName()
	if err != nil {
		return false, err
	}
	existing, err := tarball.ImageFromPath(path, &tag)
	if err != nil {
		return false, nil
	}
	got, err := existing.ConfigName()
	return err == nil && got == want, nil
}
