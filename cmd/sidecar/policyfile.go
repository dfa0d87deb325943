package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

const (
	// maxPolicySize is beyond what a ConfigMap can hold.
	maxPolicySize = 2 << 20
	// pollInterval is how long a change can go unseen where the file system sends
	// no notice of it.
	pollInterval = 30 * time.Second
)

// policyFile keeps Live at what a file says.
type policyFile struct {
	path   string
	live   *sidecar.Live
	logger *slog.Logger

	last []byte
}

// load applies the file if it has changed. On an error the policy before it stays
// in force.
func (f *policyFile) load(ctx context.Context) error {
	content, err := f.read()
	if err != nil {
		return err
	}
	if bytes.Equal(content, f.last) {
		return nil
	}
	f.last = content // a wrong file is complained of once
	p, err := policy.Decode(content)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := f.live.Apply(ctx, p); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.logger.Info("policy in force", "server", p.Server, "scopes", p.SupportedScopes().String())
	return nil
}

func (f *policyFile) read() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxPolicySize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the policy: %w", err)
	case len(content) > maxPolicySize:
		return nil, fmt.Errorf("the policy %s is larger than %d MiB", f.path, maxPolicySize>>20)
	}
	return content, nil
}

// follow loads the file again whenever its folder changes, until ctx ends: a
// mounted ConfigMap is replaced by swapping a link beside the file. Where no
// notices can be had it looks from time to time.
func (f *policyFile) follow(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer func() { _ = watcher.Close() }()
		err = watcher.Add(filepath.Dir(f.path))
	}
	var events chan fsnotify.Event
	if err != nil {
		f.logger.Warn("the policy's folder cannot be watched; changes are seen by looking", "every", pollInterval.String(), "error", err)
	} else {
		events = watcher.Events
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events:
		case <-poll.C:
		}
		if err := f.load(ctx); err != nil {
			f.logger.Error("the new policy cannot be used; the one before it stays in force", "error", err)
		}
	}
}
