package sidecar

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
	"github.com/mcpauth/mcpauth/sidecar/relay"
)

// site is all that follows from one policy, worked out once. It is immutable.
type site struct {
	policy *policy.Policy
	// public is the resource's URL; path is its path, "/" when it has none.
	public *url.URL
	path   string
	// upstream is the MCP server's URL.
	upstream *url.URL

	metadata      json.RawMessage
	metadataURL   string
	metadataPaths []string
	// basic is what a first challenge asks for.
	basic   oauth.ScopeSet
	origins []string
	guard   *accesstoken.Guard
	// bodies and maxHeader bound requests.
	bodies    jsonrpc.Limits
	maxHeader int
	limits    *limits
	// relay has the connections to the MCP server.
	relay *relay.Pool
}

// Check says why a Sidecar could not serve a policy that is valid in itself: a
// resource or an upstream that is not the URL of a service.
func Check(p *policy.Policy) error {
	_, err := newSite(p)
	return err
}

// newSite works out what needs nothing but the policy.
func newSite(p *policy.Policy) (*site, error) {
	if err := oauth.ValidServiceURL(p.Resource); err != nil {
		return nil, fmt.Errorf("the resource %w", err)
	}
	public, err := url.Parse(p.Resource)
	if err != nil {
		return nil, fmt.Errorf("the resource: %w", err)
	}
	upstream, err := upstreamURL(p.Upstream)
	if err != nil {
		return nil, err
	}
	s := &site{
		policy: p, public: public, path: orRoot(public.Path), upstream: upstream,
		bodies:    jsonrpc.Limits{Bytes: cmp.Or(p.Limits.MaxBodyBytes, DefaultMaxBody), Depth: p.Limits.MaxDepth},
		maxHeader: cmp.Or(p.Limits.MaxHeaderBytes, DefaultMaxHeader),
	}
	if err := s.describe(); err != nil {
		return nil, err
	}
	s.basic = p.DefaultScopes()
	if s.basic.Empty() {
		s.basic = p.SupportedScopes()
	}
	s.basic = s.basic.Minus(oauth.NewScopeSet(oauth.OfflineAccess))
	s.origins = append(slices.Clone(p.AllowedOrigins), public.Scheme+"://"+public.Host)
	return s, nil
}

// equip adds what a site works with. What belongs to things that have not changed is
// taken over from the site before, which may be nil.
func (s *site) equip(side *Sidecar, old *site) {
	o := &side.options
	s.guard = &accesstoken.Guard{
		Verifier: &accesstoken.Verifier{
			Issuers: s.policy.Issuers, Audiences: s.policy.Audiences, Keys: o.Keys, Now: o.Now,
			Revocations: o.Revocations, Fresh: o.Fresh, CacheSize: tokensKept,
		},
		Resource: s.policy.Resource, Scopes: s.basic, RequireDPoP: s.policy.RequireDPoP,
		Proofs: side.proofs, Now: o.Now,
	}
	var before *limits
	if old != nil {
		before = old.limits
	}
	s.limits = newLimits(s.policy.Limits, before)
	if old != nil && old.upstream.Scheme == s.upstream.Scheme && old.upstream.Host == s.upstream.Host {
		s.relay = old.relay
		return
	}
	s.relay = relay.New(s.upstream)
	if old != nil {
		old.relay.Close()
	}
}

func upstreamURL(u policy.Upstream) (*url.URL, error) {
	if u.URL == "" {
		if u.Port < 1 || u.Port > 65535 {
			return nil, fmt.Errorf("the upstream's port %d is no port", u.Port)
		}
		host := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(u.Port)))
		return &url.URL{Scheme: "http", Host: host, Path: orRoot(u.Path)}, nil
	}
	parsed, err := url.Parse(u.URL)
	switch {
	case err != nil:
		return nil, errors.New("the upstream's URL cannot be parsed")
	case parsed.Scheme != "http" && parsed.Scheme != "https", parsed.Host == "":
		return nil, errors.New("the upstream's URL is not an absolute http or https URL")
	case parsed.User != nil, parsed.RawQuery != "", parsed.Fragment != "":
		return nil, errors.New("the upstream's URL has user information, a query or a fragment")
	}
	parsed.Path, parsed.RawPath = orRoot(parsed.Path), ""
	return parsed, nil
}

func orRoot(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "/" + path
	}
	return path
}

// enter gives the exchange the policy that it will be judged by to its end,
// whatever is loaded meanwhile.
func (x *exchange) enter() *answer {
	p := x.options.Policy()
	if p == nil {
		return unavailable("no policy is loaded yet")
	}
	current := x.derived.Load()
	if current == nil || current.policy != p {
		var err error
		if current, err = x.derive(p); err != nil {
			x.options.Logger.Error("the policy cannot be served", "server", p.Server, "error", err)
			return unavailable("the policy cannot be served")
		}
	}
	x.site = current
	return nil
}

// derive works out what follows from a policy, once.
func (s *Sidecar) derive(p *policy.Policy) (*site, error) {
	s.deriving.Lock()
	defer s.deriving.Unlock()
	old := s.derived.Load()
	if old != nil && old.policy == p {
		return old, nil
	}
	made, err := newSite(p)
	if err != nil {
		return nil, err
	}
	made.equip(s, old)
	s.derived.Store(made)
	return made, nil
}
