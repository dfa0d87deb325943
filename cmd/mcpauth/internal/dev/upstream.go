package dev

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/policy"
)

// parseUpstreams reads NAME=URL flags, where NAME is an MCPServer's name or
// namespace/name.
func parseUpstreams(flags []string) (map[string]string, error) {
	upstreams := make(map[string]string, len(flags))
	for _, flag := range flags {
		name, raw, ok := strings.Cut(flag, "=")
		u, err := url.Parse(raw)
		if !ok || name == "" || err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("--upstream %q is not NAME=URL, such as todo=http://127.0.0.1:8080/mcp", flag)
		}
		if _, twice := upstreams[name]; twice {
			return nil, fmt.Errorf("--upstream names %q twice", name)
		}
		upstreams[name] = raw
	}
	return upstreams, nil
}

// applyUpstreams points the servers' policies at this machine: at what a flag
// says, or at the workload's port. It returns the servers that have an upstream;
// the others run elsewhere and validate tokens themselves.
func applyUpstreams(result *compiler.Result, upstreams map[string]string) ([]types.NamespacedName, error) {
	used := make(map[string]bool)
	var served []types.NamespacedName
	for name, server := range result.Servers {
		for _, key := range []string{name.String(), name.Name} {
			if raw, ok := upstreams[key]; ok {
				used[key] = true
				server.Policy.Upstream = policy.Upstream{URL: withPath(raw, server.Policy), MessagePath: server.Policy.Upstream.MessagePath}
				break
			}
		}
		if server.Policy.Upstream != (policy.Upstream{}) {
			served = append(served, name)
		}
	}
	for key := range upstreams {
		if !used[key] {
			return nil, fmt.Errorf("--upstream names %q, which is no MCPServer of the manifests", key)
		}
	}
	slices.SortFunc(served, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return served, nil
}

// withPath gives an upstream that is only an address the path of the workload or,
// without one, of the resource.
func withPath(raw string, p *policy.Policy) string {
	u, err := url.Parse(raw)
	if err != nil || (u.Path != "" && u.Path != "/") {
		return raw
	}
	u.Path = p.Upstream.Path
	if u.Path == "" {
		if resource, err := url.Parse(p.Resource); err == nil {
			u.Path = resource.Path
		}
	}
	return u.String()
}
