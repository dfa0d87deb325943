package dev

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

// fronts are the listeners by host:port. Several servers may share one, told
// apart by their paths, as behind an ingress.
type fronts map[string]*front

type front struct {
	mounts []mount
	// fallback answers what lies below no mount: the authorization server, whose
	// well-known documents stand beside everybody else's.
	fallback http.Handler
}

// mount is one sidecar and the path of its resource.
type mount struct {
	path    string
	handler http.Handler
}

func (f fronts) at(raw string) (*front, *url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	if u.Scheme != "http" || !oauth.IsLoopbackHost(u.Hostname()) {
		return nil, nil, fmt.Errorf("%s cannot be served from here: without a cluster only http on loopback hosts is, such as http://127.0.0.1:9400", raw)
	}
	address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))
	if f[address] == nil {
		f[address] = &front{}
	}
	return f[address], u, nil
}

func (f fronts) addServer(issuer string, handler http.Handler) error {
	front, _, err := f.at(issuer)
	if err != nil {
		return err
	}
	if front.fallback != nil {
		return fmt.Errorf("two authorization servers cannot share the address of %s; give each a port of its own", issuer)
	}
	front.fallback = handler
	return nil
}

// addSidecar mounts a sidecar at its resource's path and where its clients post
// messages, if that is another.
func (f fronts) addSidecar(resource, messagePath string, handler http.Handler) error {
	front, u, err := f.at(resource)
	if err != nil {
		return err
	}
	front.mounts = append(front.mounts, mount{path: strings.TrimSuffix(u.Path, "/"), handler: handler})
	if messagePath != "" {
		front.mounts = append(front.mounts, mount{path: strings.TrimSuffix(messagePath, "/"), handler: handler})
	}
	slices.SortFunc(front.mounts, func(a, b mount) int { return cmp.Compare(len(b.path), len(a.path)) })
	return nil
}

// ServeHTTP hands the request to the sidecar with the longest matching path.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, oauth.WellKnownResource)
	for _, m := range f.mounts {
		if path == m.path || strings.HasPrefix(path, m.path+"/") {
			m.handler.ServeHTTP(w, r)
			return
		}
	}
	switch {
	case f.fallback != nil:
		f.fallback.ServeHTTP(w, r)
	case len(f.mounts) > 0:
		f.mounts[0].handler.ServeHTTP(w, r) // answers what is not its own with 404 in its own words
	}
}
