//go:build linux

package node

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/mcpauth/mcpauth/hack/images/oci"
)

// Load imports image archives (of `docker save` or OCI layouts). Pods use them with an
// imagePullPolicy that does not pull: there is no registry.
func (c *Cluster) Load(ctx context.Context, archives ...string) error {
	for _, archive := range archives {
		done := c.Out.Begin("image")
		if err := c.importImage(ctx, archive); err != nil {
			return err
		}
		done(filepath.Base(archive))
	}
	return nil
}

func (c *Cluster) importImage(ctx context.Context, archive string) error {
	output, err := c.ctr(ctx, "images", "import", "--snapshotter", c.snapshotter(), archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import %s into cluster %s: %w: %s", archive, c.Name, err, bytes.TrimSpace(output))
	}
	return nil
}

// loadPause makes and imports the image of the process that holds each pod's namespaces.
func (c *Cluster) loadPause(ctx context.Context) error {
	image, err := oci.Binary{Path: filepath.Join(c.Binaries, "pause"), Architecture: runtime.GOARCH}.Image()
	if err != nil {
		return err
	}
	archive := c.path("pause.tar")
	if _, err := oci.Write(archive, pauseImage, image); err != nil {
		return err
	}
	return c.importImage(ctx, archive)
}
