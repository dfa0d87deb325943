package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// pollEvery is the pause between two looks at the claims.
const pollEvery = 500 * time.Millisecond

func main() {
	var p provisioner
	var credentials credentials
	flag.StringVar(&credentials.server, "server", "", "URL of the API server")
	flag.StringVar(&credentials.authority, "certificate-authority", "", "file with the API server's authority")
	flag.StringVar(&credentials.certificate, "client-certificate", "", "file with the client certificate")
	flag.StringVar(&credentials.key, "client-key", "", "file with the client certificate's key")
	flag.StringVar(&p.folder, "folder", "", "folder of the volumes")
	flag.StringVar(&p.node, "node", "", "name of the node that the volumes are on")
	flag.Parse()
	var err error
	if p.api, err = connect(credentials); err != nil {
		slog.Error("cannot speak to the API server", "error", err)
		os.Exit(1)
	}
	p.run(context.Background())
}

// provisioner keeps volumes and claims in step.
type provisioner struct {
	api *api
	// folder has a folder for each volume, named as the volume.
	folder string
	// node is the only node.
	node string
}

// run works until it is killed. An error is told once, not twice a second.
func (p *provisioner) run(ctx context.Context) {
	last := ""
	for {
		text := ""
		if err := p.step(ctx); err != nil {
			text = err.Error()
		}
		if text != "" && text != last {
			slog.Error("volumes", "error", text)
		}
		last = text
		time.Sleep(pollEvery)
	}
}

// step makes the volumes that claims wait for and removes those whose claims are gone.
func (p *provisioner) step(ctx context.Context) error {
	claims, err := p.api.claims(ctx)
	if err != nil {
		return err
	}
	volumes, err := p.api.volumes(ctx)
	if err != nil {
		return err
	}
	missing, released := plan(claims, volumes)
	var failed []error
	for _, c := range missing {
		failed = append(failed, p.provide(ctx, c))
	}
	for _, v := range released {
		failed = append(failed, p.remove(ctx, v))
	}
	return errors.Join(failed...)
}

// provide makes the folder first: a volume that is there can be used.
func (p *provisioner) provide(ctx context.Context, c claim) error {
	path := filepath.Join(p.folder, volumeName(c))
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	// Pods run as any user, and the umask has taken the others' rights away.
	if err := os.Chmod(path, 0o777); err != nil {
		return err
	}
	slog.Info("new volume", "claim", c.Metadata.Namespace+"/"+c.Metadata.Name, "volume", volumeName(c))
	return p.api.createVolume(ctx, volumeFor(c, path, p.node))
}

// remove deletes the content first: a volume whose deletion failed is tried again.
func (p *provisioner) remove(ctx context.Context, v volume) error {
	if err := os.RemoveAll(filepath.Join(p.folder, filepath.Base(v.Metadata.Name))); err != nil {
		return err
	}
	slog.Info("volume removed", "volume", v.Metadata.Name)
	return p.api.deleteVolume(ctx, v.Metadata.Name)
}
