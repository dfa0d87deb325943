package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to this program's version, each step in a
// transaction of its own.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, logger *slog.Logger, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	options = append(options, goose.WithSlog(logger), goose.WithDisableGlobalRegistry(true))
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case current > target:
		return fmt.Errorf("its schema has version %d and this program knows versions up to %d: "+
			"run the newer release that wrote it, or restore a backup from before the upgrade", current, target)
	case current == target:
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		// Another process may have been faster; then there is nothing left to do.
		if current, _, again := provider.GetVersions(ctx); again != nil || current != target {
			return fmt.Errorf("migrate the schema from version %d to %d: %w", current, target, err)
		}
	}
	logger.InfoContext(ctx, "migrated the database", "from", current, "to", target)
	return nil
}
