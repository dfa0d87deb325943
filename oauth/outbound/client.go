package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// DefaultTimeout bounds a fetch, body included.
const DefaultTimeout = 5 * time.Second

const (
	userAgent = "mcpauth"
	// maxBody bounds every answer, in bytes; Get has a closer bound of its caller.
	maxBody = 1 << 20
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 32 << 10
)

// Options say what may be reached. The zero value is the public internet by https.
type Options struct {
	// PrivateHosts are names or literal addresses that may be private or loopback
	// ones, on any port, and also by http. They are compared whole, in any case.
	PrivateHosts []string
	// CABundle holds certificates, in PEM, that count beside the system's.
	CABundle string
	// Timeout bounds one fetch; zero means DefaultTimeout.
	Timeout time.Duration
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
}

// Client fetches. It is safe for concurrent use.
type Client struct {
	privateHosts map[string]bool
	timeout      time.Duration
	transport    *http.Transport
}

// New makes a Client. It fails where CABundle holds no certificate or a malformed
// one.
func New(o Options) (*Client, error) {
	roots, err := rootsWith(o.CABundle)
	if err != nil {
		return nil, err
	}
	c := &Client{privateHosts: make(map[string]bool, len(o.PrivateHosts)), timeout: o.Timeout}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	for _, host := range o.PrivateHosts {
		c.privateHosts[strings.ToLower(strings.Trim(host, "[]"))] = true
	}
	c.transport = &http.Transport{
		Proxy:       nil, // the proxy's address, not the target's, would be checked
		DialContext: c.dialler(o.Resolver),
		TLSClientConfig: &tls.Config{
			RootCAs: roots, MinVersion: tls.VersionTLS12,
		},
		// Fetches are rare; a connection that is kept would be a stranger's to hold.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return c, nil
}

// rootsWith is nil, which means the system's, where there is nothing to add.
func rootsWith(bundle string) (*x509.CertPool, error) {
	if bundle == "" {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	if !roots.AppendCertsFromPEM([]byte(bundle)) {
		return nil, errors.New("the CA bundle holds no certificate in PEM")
	}
	return roots, nil
}

func (c *Client) dialler(resolver *net.Resolver) func(context.Context, string, string) (net.Conn, error) {
	public := &net.Dialer{Resolver: resolver, Control: mayDial(false)}
	private := &net.Dialer{Resolver: resolver, Control: mayDial(true)}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if c.privateHosts[strings.ToLower(host)] {
			return private.DialContext(ctx, network, address)
		}
		return public.DialContext(ctx, network, address)
	}
}

// Response is an answer of status 200.
type Response struct {
	Header http.Header
	Body   []byte
}

// Get fetches a document of at most limit bytes that is one of the media types in
// accept, as an Accept header writes them. Its errors wrap one of the package's
// sentinels; none of them quotes the answer.
func (c *Client) Get(ctx context.Context, url, accept string, limit int64) (*Response, error) {
	if err := c.Check(url); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: it is malformed", ErrURL)
	}
	request.Header.Set("Accept", accept)
	response, err := c.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // nothing is written to it
	if response.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, failure("read the answer", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, limit)
	}
	return &Response{Header: response.Header, Body: body}, nil
}

// Transport makes the requests of another http.Client under the same rules.
func (c *Client) Transport() http.RoundTripper { return c }

// RoundTrip implements http.RoundTripper. Of the request's header it sends Accept
// alone. A redirect is an error, a *StatusError, so that nobody can follow it.
func (c *Client) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet || request.Body != nil && request.Body != http.NoBody {
		return nil, fmt.Errorf("%w: only a GET without a body is sent", ErrURL)
	}
	if err := c.check(request.URL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(request.Context(), c.timeout)
	plain := request.Clone(ctx)
	plain.Host = ""
	plain.Header = http.Header{"User-Agent": {userAgent}}
	if accept := request.Header.Get("Accept"); accept != "" {
		plain.Header.Set("Accept", accept)
	}
	response, err := c.transport.RoundTrip(plain)
	if err != nil {
		cancel()
		return nil, failure("fetch from "+request.URL.Hostname(), err)
	}
	response.Body = &body{Reader: http.MaxBytesReader(nil, response.Body, maxBody), closer: response.Body, cancel: cancel}
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		_ = response.Body.Close()
		return nil, &StatusError{Status: response.StatusCode}
	}
	return response, nil
}

// body ends a fetch's time with its reading, and fails behind the bound.
type body struct {
	io.Reader
	closer io.Closer
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return n, fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, maxBody)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.cancel()
	return b.closer.Close()
}
