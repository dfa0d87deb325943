package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// maxAnswer bounds what is read of any answer of the provider, in bytes.
	maxAnswer = 1 << 20
	// maxRedirects bounds how often a document may have moved.
	maxRedirects = 3
)

// discovery is what a provider says of itself (OpenID Connect Discovery 1.0).
type discovery struct {
	provider *oidc.Provider
	// statesIssuer says that every answer carries "iss" (RFC 9207 §3).
	statesIssuer bool
	// secretInBody says that the token endpoint takes a secret in the form alone.
	secretInBody bool
}

type discoveryCache struct{ atomic.Pointer[discovery] }

// endpoint chooses how to authenticate instead of letting the library try both
// ways, because a provider may burn a code on the first failure.
func (d *discovery) endpoint(confidential bool) oauth2.Endpoint {
	endpoint := d.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if !confidential || d.secretInBody {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return endpoint
}

// discover fetches once for all who wait. A failure is not kept: the next
// sign-in tries again.
func (o *OIDC) discover(ctx context.Context) (*discovery, error) {
	if found := o.cache.Load(); found != nil {
		return found, nil
	}
	results := o.flight.DoChan("", func() (any, error) {
		if found := o.cache.Load(); found != nil {
			return found, nil
		}
		// Whoever came first may leave; the others still wait for the answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), upstreamTimeout)
		defer cancel()
		found, err := fetchDiscovery(oidc.ClientContext(ctx, o.client), o.provider.Issuer)
		if err == nil {
			o.cache.Store(found)
		}
		return found, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: discover %s: %w", ErrUpstream, o.provider.Issuer, ctx.Err())
	case result := <-results:
		if result.Err != nil {
			return nil, fmt.Errorf("%w: discover %s: %w", ErrUpstream, o.provider.Issuer, result.Err)
		}
		return result.Val.(*discovery), nil
	}
}

func fetchDiscovery(ctx context.Context, issuer string) (*discovery, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, withoutBody(err)
	}
	var document struct {
		JWKSURI      string   `json:"jwks_uri"`
		StatesIssuer bool     `json:"authorization_response_iss_parameter_supported"`
		AuthMethods  []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := provider.Claims(&document); err != nil {
		return nil, errors.New("its discovery document is malformed")
	}
	endpoint := provider.Endpoint()
	for name, address := range map[string]string{
		"authorization_endpoint": endpoint.AuthURL, "token_endpoint": endpoint.TokenURL, "jwks_uri": document.JWKSURI,
	} {
		if !asSafe(issuer, address) {
			return nil, fmt.Errorf("its %s is not an https URL", name)
		}
	}
	const basic, post = "client_secret_basic", "client_secret_post"
	return &discovery{
		provider: provider, statesIssuer: document.StatesIssuer,
		secretInBody: slices.Contains(document.AuthMethods, post) && !slices.Contains(document.AuthMethods, basic),
	}, nil
}

// withoutBody keeps the errors that tell an administrator what to do. The rest
// quote the answer, which may be a page of HTML.
func withoutBody(err error) error {
	var mismatch *oidc.IssuerMismatchError
	var transport *url.Error
	if errors.As(err, &mismatch) || errors.As(err, &transport) {
		return err
	}
	return errors.New("it did not answer with a discovery document")
}

// asSafe reports whether address is an https URL, or an http one where the issuer
// itself is: a document must not send the browser, or our secret, anywhere weaker.
func asSafe(issuer, address string) bool {
	i, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && i.Scheme == "http")
}

// bounded copies a client and limits its time, its redirects and its answers.
func bounded(client *http.Client) *http.Client {
	if client == nil {
		client = http.DefaultClient
	}
	c := *client
	if c.Timeout == 0 || c.Timeout > upstreamTimeout {
		c.Timeout = upstreamTimeout
	}
	c.CheckRedirect = sameHostReads
	c.Transport = boundedTransport{c.Transport}
	return &c
}

// sameHostReads follows a document that moved within its host. A form is never
// sent on, because it holds the code and the secret.
func sameHostReads(request *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet || request.URL.Host != first.URL.Host || request.URL.Scheme != first.URL.Scheme || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	response, err := next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = boundedBody(response.Body)
	return response, nil
}

// boundedBody fails, rather than ends, behind the bound: a cut document could
// still look whole.
func boundedBody(body io.ReadCloser) io.ReadCloser { return http.MaxBytesReader(nil, body, maxAnswer) }
