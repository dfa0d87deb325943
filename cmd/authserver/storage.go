package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/store"
)

// openStore opens the database: PostgreSQL where there is a file with its URL, else
// a SQLite file in the data folder.
func (o options) openStore(ctx context.Context, logger *slog.Logger) (store.Store, error) {
	if o.postgresqlURLFile == "" {
		database, err := store.OpenSQLite(ctx, store.Config{Path: filepath.Join(o.data, "mcpauth.db"), Logger: logger})
		if err != nil {
			return nil, fmt.Errorf("open the database: %w", err)
		}
		return database, nil
	}
	url, err := readDatabaseURL(o.postgresqlURLFile)
	if err != nil {
		return nil, err
	}
	database, err := store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: url, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return database, nil
}

// readDatabaseURL reads a file whose content holds a password: no error quotes it.
func readDatabaseURL(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the database's URL: %w", err)
	}
	url := strings.TrimSpace(string(content))
	if url == "" {
		return "", errors.New("read the database's URL: " + path + " is empty")
	}
	return url, nil
}
