package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/client-go/rest"

	"github.com/mcpauth/mcpauth/oauth/jwks"
)

const (
	// issuerLifetime is how long the issuer's name is taken to stay what it was, and
	// issuerRetry how long an attempt to ask for it that failed answers for others.
	issuerLifetime = 10 * time.Minute
	issuerRetry    = 5 * time.Second
	// keysLifetime bounds for how long keys count that cannot be refreshed.
	keysLifetime = 24 * time.Hour

	askTimeout      = 5 * time.Second
	maxMetadataSize = 64 << 10
)

// clusterIssuer knows who issues the tokens of the cluster's ServiceAccounts: the
// API server tells its own issuer and keys to every ServiceAccount (Kubernetes'
// ServiceAccount issuer discovery). Nothing is asked before somebody wants to
// know. It is safe for concurrent use.
type clusterIssuer struct {
	metadata string // the URL of the discovery document
	client   *http.Client
	keys     *jwks.Remote
	logger   *slog.Logger
	now      func() time.Time

	flight singleflight.Group
	mu     sync.Mutex // guards what follows
	known  string
	failed error // why the last attempt failed
	next   time.Time
}

// newClusterIssuer asks the API server of the configuration, as whoever it is for.
func newClusterIssuer(config *rest.Config, logger *slog.Logger, now func() time.Time) (*clusterIssuer, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("find the API server's address: %w", err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("prepare to ask the API server: %w", err)
	}
	return &clusterIssuer{
		metadata: base.JoinPath("/.well-known/openid-configuration").String(),
		client: &http.Client{
			Transport: transport,
			Timeout:   askTimeout,
			// Our own credential goes to the API server and nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		// The document's jwks_uri is for those outside and need not be reachable.
		keys: jwks.NewRemote(jwks.Options{
			URL: base.JoinPath("/openid/v1/jwks").String(), Transport: transport, Unnamed: true, MaxStale: keysLifetime,
			Logger: logger, Now: now,
		}),
		logger: logger,
		now:    now,
	}, nil
}

// Issuer is the "iss" of the cluster's ServiceAccount tokens, and the keys that
// verify them. It fails only where the API server has never said.
func (c *clusterIssuer) Issuer(ctx context.Context) (string, *jwks.Remote, error) {
	if issuer, fresh, err := c.last(); fresh {
		return issuer, c.keys, err
	}
	asked := c.flight.DoChan("", func() (any, error) {
		// The answer is everybody's; it must not end with the one who asked first.
		c.ask(context.WithoutCancel(ctx))
		return nil, nil
	})
	select {
	case <-asked:
		issuer, _, err := c.last()
		return issuer, c.keys, err
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
}

// last is the last answer, and whether it need not be asked for again yet. What was
// said before holds while the API server is away.
func (c *clusterIssuer) last() (issuer string, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == "" {
		err = c.failed
	}
	return c.known, c.now().Before(c.next), err
}

func (c *clusterIssuer) ask(ctx context.Context) {
	issuer, err := c.get(ctx)
	if err != nil {
		c.logger.Warn("the API server does not tell the issuer of ServiceAccount tokens; what it said before stays in force", "error", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed, c.next = err, c.now().Add(issuerRetry)
	if err == nil {
		c.known, c.next = issuer, c.now().Add(issuerLifetime)
	}
}

func (c *clusterIssuer) get(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metadata, nil)
	if err != nil {
		return "", fmt.Errorf("make a request for the cluster's issuer: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask for the cluster's issuer: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // nothing is written to it
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("ask for the cluster's issuer: the answer is %d", response.StatusCode)
	}
	var document struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxMetadataSize)).Decode(&document); err != nil {
		return "", fmt.Errorf("read the cluster's issuer: %w", err)
	}
	if document.Issuer == "" {
		return "", errors.New("read the cluster's issuer: the document names none")
	}
	return document.Issuer, nil
}
