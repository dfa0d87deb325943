package journey

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// DefaultMCPURL is where the samples serve the protected todo server.
const DefaultMCPURL = "http://127.0.0.1:9401/mcp"

// StepUp says what step 9, authorizing again for more scopes, is worth.
type StepUp int

const (
	// StepUpIfOffered takes the step when the 403 names scopes that would help,
	// and passes it over otherwise.
	StepUpIfOffered StepUp = iota
	// StepUpRequired fails the journey where the step cannot be taken.
	StepUpRequired
	// StepUpNever passes it over.
	StepUpNever
)

// Options say who travels where. Username and Password are required; the zero
// value of every other field is usable.
type Options struct {
	// MCPURL is the URL that a user would type into an MCP client; empty means
	// DefaultMCPURL.
	MCPURL string
	// Username and Password sign the user in at the authorization server.
	Username, Password string
	// StepUp says whether the journey includes authorizing for more scopes.
	StepUp StepUp
	// Out receives the story; nil means nobody listens.
	Out io.Writer
	// Color lets the story use terminal colours.
	Color bool
	// Timeout bounds the whole journey; zero means two minutes.
	Timeout time.Duration
	// StepTimeout bounds each step; zero means 30 seconds.
	StepTimeout time.Duration
	// Transport carries every request of client and browser; nil means a
	// transport of its own without a proxy.
	Transport http.RoundTripper
}

func (o Options) withDefaults() (Options, error) {
	if o.MCPURL == "" {
		o.MCPURL = DefaultMCPURL
	}
	if u, err := url.Parse(o.MCPURL); err != nil || u.Host == "" {
		return o, fmt.Errorf("the MCP URL %q is not an absolute URL", o.MCPURL)
	}
	if o.Username == "" || o.Password == "" {
		return o, errors.New("the journey needs a username and a password")
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.StepTimeout == 0 {
		o.StepTimeout = 30 * time.Second
	}
	return o, nil
}
