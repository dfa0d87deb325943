//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/machine"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// work is what the cores have done so far, and for whom.
type work struct {
	at time.Time
	// webhook, server (the API server and etcd) and generator are time of cores.
	webhook, server, generator time.Duration
	idle                       time.Duration
}

func (c *cluster) readWork() (work, error) {
	w := work{at: time.Now()}
	cores, err := machine.Cores()
	if err != nil {
		return w, err
	}
	w.idle = cores.Idle
	if w.webhook, err = machine.Process(c.webhook.PID()); err != nil {
		return w, err
	}
	if w.generator, err = machine.Process(os.Getpid()); err != nil {
		return w, err
	}
	servers, err := machine.Children(os.Getpid(), "kube-apiserver", "etcd")
	if err != nil {
		return w, err
	}
	for _, pid := range servers {
		took, err := machine.Process(pid)
		if err != nil {
			return w, err
		}
		w.server += took
	}
	return w, nil
}

// shares says who had the cores since an earlier reading, and what a pod that asks took
// the webhook.
func (w work) shares(before work, asked int) string {
	all := float64(max(w.at.Sub(before.at), 1)) * float64(runtime.NumCPU())
	webhook, server := float64(w.webhook-before.webhook)/all, float64(w.server-before.server)/all
	generator, idle := float64(w.generator-before.generator)/all, min(float64(w.idle-before.idle)/all, 1)
	others := max(1-webhook-server-generator-idle, 0)
	return fmt.Sprintf("API server and etcd %s, webhook %s, generator %s, others %s, idle %s; of a core a pod that asks took the webhook %s",
		report.Percent(server), report.Percent(webhook), report.Percent(generator), report.Percent(others), report.Percent(idle),
		report.Time((w.webhook-before.webhook)/time.Duration(max(asked, 1))))
}
