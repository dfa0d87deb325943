package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mcpauth/mcpauth/hack/images/oci"
)

// builder turns packages into image archives.
type builder struct {
	// repo is the repository's root.
	repo string
	// out is the folder of the archives.
	out string
	// arch is the images' architecture, in Go's words.
	arch string
	// tag follows the colon of every image's name.
	tag string
}

// result is what became of one image.
type result struct {
	reference, digest, file string
}

// binaries compiles the packages one after the other; what they share, the go command compiles once.
func (b *builder) binaries(ctx context.Context, chosen []image, folder string) error {
	for _, i := range chosen {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
			"-o", filepath.Join(folder, i.name), i.pkg)
		cmd.Dir = b.repo
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.arch)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", i.pkg, err, bytes.TrimSpace(output.Bytes()))
		}
	}
	return nil
}

// archive writes the image of one compiled binary.
func (b *builder) archive(i image, folder string) (result, error) {
	built, err := oci.Binary{Path: filepath.Join(folder, i.name), Architecture: b.arch}.Image()
	if err != nil {
		return result{}, err
	}
	digest, err := built.Digest()
	if err != nil {
		return result{}, err
	}
	r := result{reference: i.reference(b.tag), digest: digest.String(), file: filepath.Join(b.out, i.name+".tar")}
	_, err = oci.Write(r.file, r.reference, built)
	return r, err
}

// all builds the chosen images in the table's order.
func (b *builder) all(ctx context.Context, chosen []image) ([]result, error) {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "mcpauth-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := b.binaries(ctx, chosen, folder); err != nil {
		return nil, err
	}
	results := make([]result, 0, len(chosen))
	for _, i := range chosen {
		r, err := b.archive(i, folder)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", i.name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// kindLoad hands an archive to a kind cluster.
func kindLoad(ctx context.Context, cluster, file string) error {
	cmd := exec.CommandContext(ctx, "kind", "load", "image-archive", file, "--name", cluster)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("load %s into kind cluster %s: %w", file, cluster, err)
	}
	return nil
}
