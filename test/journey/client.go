package journey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// errNotAsked is the user's answer to a client that wants more than was agreed.
var errNotAsked = errors.New("the user does not want to grant more scopes")

// client is the MCP client: the SDK's transport and OAuth handler, with the
// user's browser and the observer beside them.
type client struct {
	http     *http.Client
	watch    *watcher
	browser  *Browser
	callback *callback
	handler  *auth.AuthorizationCodeHandler
	session  *mcp.ClientSession

	// consents says whether the user agrees to another authorization.
	consents bool
	// flows are the authorizations so far, tokens what the last one gave.
	flows  []flow
	tokens *tokens
}

// flow is one authorization as the client and its user saw it.
type flow struct {
	authorizeURL *url.URL
	pages        []string
	result       *auth.AuthorizationResult
}

func newClient(opts Options) (*client, error) {
	callback, err := newCallback()
	if err != nil {
		return nil, err
	}
	transport := opts.Transport
	if transport == nil {
		transport = &http.Transport{TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: opts.StepTimeout}
	}
	watch := &watcher{next: transport, mcpURL: opts.MCPURL}
	c := &client{
		http:     &http.Client{Transport: watch, Timeout: opts.StepTimeout},
		watch:    watch,
		browser:  &Browser{Username: opts.Username, Password: opts.Password, Transport: transport},
		callback: callback,
		consents: true,
	}
	if c.handler, err = c.newHandler(); err != nil {
		callback.close()
		return nil, fmt.Errorf("the SDK's OAuth handler: %w", err)
	}
	return c, nil
}

func (c *client) newHandler() (*auth.AuthorizationCodeHandler, error) {
	return auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{
			Metadata: &oauthex.ClientRegistrationMetadata{
				ClientName:              "mcpauth journey",
				RedirectURIs:            []string{c.callback.URI},
				GrantTypes:              []string{"authorization_code", "refresh_token"},
				ResponseTypes:           []string{"code"},
				TokenEndpointAuthMethod: "none",
			},
		},
		AuthorizationCodeFetcher: c.fetchCode,
		Client:                   c.http,
		NewTokenSource: func(ctx context.Context, config *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
			c.tokens = newTokens(ctx, config, token)
			return c.tokens, nil
		},
	})
}

// connect opens the session, during which the SDK meets the 401 and authorizes.
func (c *client) connect(ctx context.Context, mcpURL string) error {
	sdk := mcp.NewClient(&mcp.Implementation{Name: "mcpauth-journey", Version: "1.0.0"}, nil)
	session, err := sdk.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: mcpURL,
		// Without the client's timeout: an event stream may be quiet for long.
		HTTPClient:   &http.Client{Transport: c.watch},
		OAuthHandler: c.handler,
		MaxRetries:   -1,
	}, nil)
	c.session = session
	return err
}

// fetchCode is the SDK's way to ask the user: it opens the authorization URL in
// the browser and waits for the redirect to reach the listener.
func (c *client) fetchCode(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	if !c.consents {
		return nil, errNotAsked
	}
	authorizeURL, err := url.Parse(args.URL)
	if err != nil {
		return nil, err
	}
	f := flow{authorizeURL: authorizeURL}
	c.browser.Visited = func(page *url.URL, did string) { f.pages = append(f.pages, did+" on "+hostPath(page)) }
	response, err := c.browser.SignInAndConsent(ctx, args.URL)
	if err != nil {
		return nil, err
	}
	c.watch.learn(response.Query().Get("code"))
	if err := c.browser.Open(ctx, response); err != nil {
		return nil, err
	}
	f.result, err = c.callback.wait(ctx)
	if err == nil {
		c.flows = append(c.flows, f)
	}
	return f.result, err
}

func (c *client) close() {
	if c.session != nil {
		_ = c.session.Close() // the server may be gone, or refuse a revoked token
	}
	c.callback.close()
}
