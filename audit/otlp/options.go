package otlp

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Options say who sends, and where to.
type Options struct {
	// Endpoint is the collector's base URL, such as "http://collector:4318";
	// "/v1/logs" or "/v1/traces" is added to its path.
	Endpoint string
	// Resource is who sends: service.name, k8s.namespace.name and so on.
	Resource []attribute.KeyValue
	// Client sends the requests. When nil, one that follows no redirects and waits
	// ten seconds for an answer.
	Client *http.Client
	// GiveUp is how long the same batch is tried again; 30 seconds when zero.
	GiveUp time.Duration
	// Logger is told when the collector begins to fail, and when it works again.
	// Nobody is when nil.
	Logger *slog.Logger
}

func (o Options) poster(path string) (*poster, error) {
	base, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("the OTLP endpoint is no URL: %w", err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("the OTLP endpoint %q is no http or https URL", o.Endpoint)
	}
	client := o.Client
	if client == nil {
		client = newClient()
	}
	return &poster{client: client, url: base.JoinPath(path).String(), giveUp: cmp.Or(o.GiveUp, 30*time.Second)}, nil
}

func newClient() *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     90 * time.Second,
		},
	}
}
