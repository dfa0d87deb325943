package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

const (
	// pollEvery finds changes that no notification told of.
	pollEvery = 15 * time.Second
	// maxPolicySize is beyond what a ConfigMap can hold.
	maxPolicySize = 2 << 20
	// settle lets a file that is being written come to rest.
	settle = 50 * time.Millisecond
)

// policyFile keeps what is in force the same as what a file says. Its methods may
// be used by many goroutines, load and follow by one at a time.
type policyFile struct {
	path        string
	upstreamURL string // in place of the policy's; empty changes nothing
	live        *sidecar.Live
	logger      *slog.Logger
	poll        time.Duration // how often to look where no notification comes
	// applied is told of each policy that is in force from now on; nil tells nobody.
	applied func(*policy.Policy)

	last []byte // what load read the last time, good or bad

	mu     sync.Mutex
	state  reloads
	broken error // why the newest file is not in force; nil when it is
	judged error // the same of the newest that could be read
}

// reloads counts what became of the files that were read.
type reloads struct {
	succeeded, failed int
	at                time.Time // of the last success
}

// load puts the file in force if it has changed since the last time. After an
// error the policy that was in force stays.
func (f *policyFile) load(ctx context.Context) error {
	data, err := f.read()
	if err == nil && f.last != nil && bytes.Equal(data, f.last) {
		f.mended()
		return nil
	}
	judged := err == nil
	if judged {
		f.last = data
		err = f.apply(ctx, data)
	}
	f.note(err, judged)
	if err != nil {
		f.logger.Error("the new policy is not in force", "file", f.path, "error", err, "old_policy_stays", f.live.Policy() != nil)
		return err
	}
	p := f.live.Policy()
	f.logger.Info("the policy is in force", "file", f.path, "server", p.Server, "resource", p.Resource, "scopes", len(p.Scopes))
	return nil
}

func (f *policyFile) read() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxPolicySize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the policy: %w", err)
	case len(data) > maxPolicySize:
		return nil, fmt.Errorf("the policy %s is larger than %d MiB", f.path, maxPolicySize>>20)
	}
	return data, nil
}

func (f *policyFile) apply(ctx context.Context, data []byte) error {
	p, err := policy.Decode(data)
	if err != nil {
		return err
	}
	if f.upstreamURL != "" {
		p.Upstream.URL = f.upstreamURL
	}
	if err := f.live.Apply(ctx, p); err != nil {
		return err
	}
	if f.applied != nil {
		f.applied(p)
	}
	return nil
}

// mended notes that the file, which could not be read for a while, is the one that was
// judged last: what was said of that counts again.
func (f *policyFile) mended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = f.judged
}

func (f *policyFile) note(err error, judged bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if judged {
		f.judged = err
	}
	f.broken = err
	if err != nil {
		f.state.failed++
		return
	}
	f.state.succeeded++
	f.state.at = time.Now()
}

// current reports whether the newest file is what is in force.
func (f *policyFile) current() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken == nil && f.state.succeeded > 0
}

func (f *policyFile) counts() reloads {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// ready says what is missing before requests can be judged. A broken newer file is
// no reason to take the old policy's server out of service.
func (f *policyFile) ready() error {
	f.mu.Lock()
	broken := f.broken
	f.mu.Unlock()
	if err := f.live.Ready(); err != nil {
		if broken != nil && f.live.Policy() == nil {
			return fmt.Errorf("%w: %w", err, broken)
		}
		return err
	}
	return nil
}

// follow loads the file whenever it changes, until ctx ends. It watches the folder
// and not the file: Kubernetes changes a mounted ConfigMap by pointing a symbolic
// link beside the file to another folder.
func (f *policyFile) follow(ctx context.Context) error {
	changes, failures, stop := f.watch()
	defer stop()
	poll := time.NewTicker(f.poll)
	defer poll.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
			rest.Reset(settle)
		case err := <-failures:
			f.logger.Warn("a notification about the policy was lost; polling goes on", "error", err)
			rest.Reset(settle)
		case <-poll.C:
			_ = f.load(ctx) // load has logged it
		case <-rest.C:
			_ = f.load(ctx) // load has logged it
		}
	}
}

// watch falls back to channels on which nothing comes.
func (f *policyFile) watch() (<-chan fsnotify.Event, <-chan error, func()) {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(filepath.Dir(f.path)); err == nil {
			return watcher.Events, watcher.Errors, func() { _ = watcher.Close() }
		}
		_ = watcher.Close() // it watches nothing
	}
	f.logger.Warn("cannot watch the policy's folder; changes are found by polling", "file", f.path, "every", f.poll.String(), "error", err)
	return nil, nil, func() {}
}
