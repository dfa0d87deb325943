package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mcpauth/mcpauth/sidecar"
)

// metrics writes what there is to know about the configuration, in Prometheus's
// text format. It is few enough numbers to do without a library in a program that
// runs in every pod.
type metrics struct {
	live *sidecar.Live
	file *policyFile
}

func (m metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	counts := m.file.counts()
	ready, loaded := 0, int64(0)
	if m.file.ready() == nil {
		ready = 1
	}
	if !counts.at.IsZero() {
		loaded = counts.at.Unix()
	}
	var b strings.Builder
	metric := func(name, kind, help string, lines ...string) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		for _, line := range lines {
			b.WriteString(name + line + "\n")
		}
	}
	metric("mcpauth_sidecar_ready", "gauge", "Whether requests can be judged.", fmt.Sprintf(" %d", ready))
	metric("mcpauth_sidecar_keys", "gauge", "Keys that tokens may be signed with.", fmt.Sprintf(" %d", m.live.Keys()))
	metric("mcpauth_sidecar_policy_reloads_total", "counter", "Policies that were read, by what became of them.",
		fmt.Sprintf("{result=%q} %d", "success", counts.succeeded), fmt.Sprintf("{result=%q} %d", "failure", counts.failed))
	metric("mcpauth_sidecar_policy_loaded_timestamp_seconds", "gauge", "When the policy in force was read; 0 if there is none.",
		fmt.Sprintf(" %d", loaded))
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(b.String()))
}
