package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mcpauth/mcpauth/hack/images/oci"
	"github.com/mcpauth/mcpauth/hack/images/shared"
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

// built is one compiled binary and what has to be beside it.
type built struct {
	image
	path      string
	libraries []string
}

// binaries compiles the packages one after the other; what they share, the go command compiles once.
func (b *builder) binaries(ctx context.Context, chosen []image, folder string) ([]built, error) {
	binaries := make([]built, 0, len(chosen))
	for _, i := range chosen {
		binary, err := b.binary(ctx, i, folder)
		if err != nil {
			return nil, err
		}
		binaries = append(binaries, binary)
	}
	return binaries, nil
}

// binary compiles a program: a static one, unless it opens libraries that this machine has for the
// images' architecture, beside a C compiler.
func (b *builder) binary(ctx context.Context, i image, folder string) (built, error) {
	binary := built{image: i, path: filepath.Join(folder, i.name)}
	if len(i.opens) > 0 {
		why := b.dynamic(ctx, &binary)
		if why == nil {
			return binary, nil
		}
		fmt.Fprintf(os.Stderr, "images: %s goes without %s and will sign slower: %v\n", i.name, strings.Join(i.opens, ", "), why)
	}
	return binary, b.compile(ctx, binary, "0")
}

// dynamic says why the program cannot have the libraries that it would open, or compiles it so that
// it does.
func (b *builder) dynamic(ctx context.Context, binary *built) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != b.arch {
		return fmt.Errorf("this machine is %s/%s and the image linux/%s", runtime.GOOS, runtime.GOARCH, b.arch)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		return err
	}
	if err := b.compile(ctx, *binary, "1"); err != nil {
		return err
	}
	var err error
	binary.libraries, err = shared.Needed(binary.path, binary.opens...)
	return err
}

// compile builds with Go's own resolver and user look-up, whether or not C is there.
func (b *builder) compile(ctx context.Context, binary built, cgo string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=netgo,osusergo", "-ldflags=-s -w",
		"-o", binary.path, binary.pkg)
	cmd.Dir = b.repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOOS=linux", "GOARCH="+b.arch)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", binary.pkg, err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// archive writes the image of one compiled binary.
func (b *builder) archive(i built) (result, error) {
	made, err := oci.Binary{Path: i.path, Architecture: b.arch, Libraries: i.libraries}.Image()
	if err != nil {
		return result{}, err
	}
	digest, err := made.Digest()
	if err != nil {
		return result{}, err
	}
	r := result{reference: i.reference(b.tag), digest: digest.String(), file: filepath.Join(b.out, i.name+".tar")}
	_, err = oci.Write(r.file, r.reference, made)
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
	binaries, err := b.binaries(ctx, chosen, folder)
	if err != nil {
		return nil, err
	}
	results := make([]result, 0, len(binaries))
	for _, i := range binaries {
		r, err := b.archive(i)
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
