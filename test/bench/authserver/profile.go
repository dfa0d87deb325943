//go:build linux

package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/mcpauth/mcpauth/test/bench/internal/profile"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// explain profiles a load where its bound was missed, and where profiles are wanted
// anyway.
func (b *bench) explain(ctx context.Context, r *race, w sample.Workload, title string, verdict report.Verdict) error {
	if verdict != report.Missed && b.profiles == "" {
		return nil
	}
	o := profile.Options{Path: filepath.Join(b.folder, "perf.data"), Duration: b.round, Process: "authserver"}
	if b.profiles != "" {
		o.Path = filepath.Join(b.profiles, profile.FileName(title))
	}
	text, err := o.Of(ctx, func(begin func() error) error {
		return b.cluster.frozen(func() error {
			w.Begin = begin
			_, err := r.sample(ctx, w)
			return err
		})
	})
	switch {
	case errors.Is(err, profile.ErrNone):
		b.note("%s: %v", title, err)
	case err != nil:
		return err
	case verdict == report.Missed:
		b.report.Profiles = append(b.report.Profiles, report.Profile{Title: title + ", where the cores were", Text: text})
	}
	if b.profiles == "" {
		return o.Remove()
	}
	return nil
}
