package main

import (
	"log/slog"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
)

// catalogs holds the newest catalog of one AuthorizationServer. When the object is
// deleted or becomes invalid the last good one stays: nothing that works stops
// because of an edit.
type catalogs struct {
	server  types.NamespacedName
	logger  *slog.Logger
	current atomic.Pointer[catalog.Catalog]
}

func (c *catalogs) take(result *compiler.Result) {
	next := result.Catalogs[c.server]
	if next == nil {
		if c.current.Load() != nil {
			c.logger.Warn("the AuthorizationServer is gone or not accepted; the last good configuration stays in use", "server", c.server.String())
		}
		return
	}
	c.current.Store(next)
}

// Current is the newest good catalog, or nil before the first.
func (c *catalogs) Current() *catalog.Catalog { return c.current.Load() }
