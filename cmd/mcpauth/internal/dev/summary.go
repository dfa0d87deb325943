package dev

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// summary is what the user is told once everything listens.
type summary struct {
	issuers     []string
	servers     []servedServer
	credentials []string
	withheld    []string
}

// servedServer is one protected MCP server and how to connect to it.
type servedServer struct {
	name, url, upstream string
}

func summarize(in buildInput, names []types.NamespacedName, withheld []string) summary {
	s := summary{withheld: withheld}
	for _, served := range in.result.Catalogs {
		s.issuers = append(s.issuers, served.Issuer())
	}
	slices.Sort(s.issuers)
	for _, name := range names {
		p := in.result.Servers[name].Policy
		upstream := p.Upstream.URL
		if upstream == "" {
			upstream = fmt.Sprintf("http://127.0.0.1:%d%s", p.Upstream.Port, p.Upstream.Path)
		}
		s.servers = append(s.servers, servedServer{name: name.Name, url: p.Resource, upstream: upstream})
	}
	for _, object := range in.manifests.Input.OAuthClients {
		name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		if in.folder.path != "" && wantsSecret(object) && in.result.Clients[name] != nil {
			s.credentials = append(s.credentials, in.folder.credentials(name))
		}
	}
	return s
}

func (s *site) describe(out io.Writer, took time.Duration) {
	var b strings.Builder
	fmt.Fprintf(&b, "\nReady after %d ms. Stop with Ctrl-C.\n", took.Milliseconds())
	for _, issuer := range s.summary.issuers {
		fmt.Fprintf(&b, "\nAuthorization server  %s\n", issuer)
	}
	for _, server := range s.summary.servers {
		fmt.Fprintf(&b, "\n%s\n", server.name)
		fmt.Fprintf(&b, "  protected at   %s\n", server.url)
		fmt.Fprintf(&b, "  upstream       %s\n", server.upstream)
		fmt.Fprintf(&b, "  Claude Code    claude mcp add --transport http %s %s\n", server.name, server.url)
		fmt.Fprintf(&b, "  VS Code        code --add-mcp '{\"name\":%q,\"type\":\"http\",\"url\":%q}'\n", server.name, server.url)
		fmt.Fprintf(&b, "  MCP Inspector  npx @modelcontextprotocol/inspector --transport http --server-url %s\n", server.url)
	}
	for _, path := range s.summary.credentials {
		fmt.Fprintf(&b, "\nClient credentials    %s\n", path)
	}
	for _, name := range s.summary.withheld {
		fmt.Fprintf(&b, "\nOAuthClient %s has no credentials: give --data DIR to have them written there.\n", name)
	}
	b.WriteByte('\n')
	_, _ = io.WriteString(out, b.String())
}
