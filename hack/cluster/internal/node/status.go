//go:build linux

package node

import (
	"context"
	"fmt"
	"strconv"
)

// Status prints each component and returns what Healthy does.
func (c *Cluster) Status(ctx context.Context) error {
	if !exists(c.Dir) {
		return fmt.Errorf("there is no cluster %s", c.Name)
	}
	all, err := c.recorded()
	if err != nil {
		return err
	}
	byName := map[string]process{}
	for _, p := range all {
		byName[p.Name] = p
	}
	for _, what := range c.components() {
		p, ok := byName[what.name]
		state := "not started"
		if ok && p.alive() {
			state = "running   process " + strconv.Itoa(p.PID)
		} else if ok {
			state = "ended     see " + c.logFile(what.name)
		}
		c.Out.Line(fmt.Sprintf("%-23s", what.name), state)
	}
	if err := c.Healthy(ctx); err != nil {
		return err
	}
	c.Out.Line(fmt.Sprintf("%-23s", "healthy"), "kubeconfig "+c.Kubeconfig())
	return nil
}
