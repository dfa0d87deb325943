package dev

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/cmd/internal/process"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/compiler/dir"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/jwks"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar"
)

type buildInput struct {
	manifests *dir.Manifests
	result    *compiler.Result
	upstreams map[string]string
	folder    data
	logger    *slog.Logger
	events    audit.Log
}

// site is everything that one process serves.
type site struct {
	fronts   fronts
	servers  []*authserver.Server
	stores   []store.Store
	sidecars []*sidecar.Sidecar
	// feeds tell the sidecars what was revoked, each of one authorization server.
	feeds []*revocation.Follower

	summary summary
}

// build makes the servers and sidecars, and listens nowhere yet.
func build(ctx context.Context, in buildInput) (_ *site, err error) {
	s := &site{fronts: make(fronts)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	byServer, withheld, err := deliverCredentials(in.manifests, in.result, in.folder)
	if err != nil {
		return nil, err
	}
	issuers := make(map[types.NamespacedName]issuer)
	for _, object := range in.manifests.Input.AuthorizationServers {
		name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
		if issuers[name], err = s.addServer(ctx, in, object, in.result.Catalogs[name], byServer[name]); err != nil {
			return nil, err
		}
	}
	names, err := applyUpstreams(in.result, in.upstreams)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		server := in.result.Servers[name]
		if err := s.addSidecar(in, server, issuers[server.AuthorizationServer]); err != nil {
			return nil, err
		}
	}
	s.summary = summarize(in, names, withheld)
	return s, nil
}

// issuer is what a sidecar knows of an authorization server.
type issuer struct {
	keys    accesstoken.KeySource
	revoked *revocation.Set
}

func (s *site) addServer(ctx context.Context, in buildInput, object *v1alpha1.AuthorizationServer, served *catalog.Catalog, kept *secrets) (issuer, error) {
	name := types.NamespacedName{Namespace: object.Namespace, Name: object.Name}
	algorithm := keyring.Algorithm(cmp.Or(object.Spec.SigningAlgorithm, v1alpha1.SigningRS256))
	ring, err := in.folder.ring(name, algorithm, time.Now())
	if err != nil {
		return issuer{}, err
	}
	database, err := in.openStore(ctx, object)
	if err != nil {
		return issuer{}, err
	}
	s.stores = append(s.stores, database)
	server, err := authserver.New(authserver.Options{
		Catalog: func() *catalog.Catalog { return served },
		Keys:    func() *keyring.Ring { return ring },
		Store:   database, Secrets: kept,
		Audit: in.events, Logger: in.logger,
	})
	if err != nil {
		return issuer{}, err
	}
	s.servers = append(s.servers, server)
	if err := s.fronts.addServer(served.Issuer(), server); err != nil {
		return issuer{}, err
	}
	keys, err := keySet(ring)
	if err != nil {
		return issuer{}, err
	}
	made := issuer{keys: keys, revoked: &revocation.Set{}}
	s.feeds = append(s.feeds, &revocation.Follower{
		URL: strings.TrimSuffix(served.Issuer(), "/") + "/revocations", Set: made.revoked, Logger: in.logger,
	})
	return made, nil
}

// keySet is the ring's public half, as a sidecar sees it.
func keySet(ring *keyring.Ring) (accesstoken.KeySource, error) {
	encoded, err := json.Marshal(ring.JWKS())
	if err != nil {
		return nil, fmt.Errorf("encode the public keys: %w", err)
	}
	return jwks.Parse(encoded)
}

func (s *site) addSidecar(in buildInput, server *compiler.Server, from issuer) error {
	if err := server.Policy.Prepare(); err != nil {
		return fmt.Errorf("the policy of %s: %w", server.Policy.Server, err)
	}
	var current atomic.Pointer[policy.Policy]
	current.Store(server.Policy)
	proxy := sidecar.New(sidecar.Options{
		Policy: current.Load, Keys: from.keys, Revocations: from.revoked,
		Audit: in.events, Logger: in.logger,
	})
	s.sidecars = append(s.sidecars, proxy)
	return s.fronts.addSidecar(server.Policy.Resource, server.Policy.Upstream.MessagePath, proxy)
}

func (s *site) endpoints() []process.Endpoint {
	var endpoints []process.Endpoint
	for address, front := range s.fronts {
		endpoints = append(endpoints, process.Endpoint{Address: address, Handler: http.Handler(front), OnStop: s.endWaits})
	}
	return endpoints
}

// endWaits ends what only waits and would hold up a graceful stop.
func (s *site) endWaits() {
	for _, server := range s.servers {
		server.EndWaits()
	}
	for _, proxy := range s.sidecars {
		proxy.EndStreams()
	}
}

func (s *site) serve(ctx context.Context, listening *process.Listening) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, server := range s.servers {
		group.Go(func() error { return server.Run(ctx) })
	}
	for _, feed := range s.feeds {
		group.Go(func() error { feed.Run(ctx); return nil })
	}
	group.Go(func() error { return listening.Serve(ctx) })
	return group.Wait()
}

func (s *site) close() {
	for _, database := range s.stores {
		_ = database.Close() // everything that was acknowledged is on disk
	}
}
