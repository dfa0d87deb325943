package journey

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// story is a journey under way: what each step found out for the next.
type story struct {
	opts   Options
	out    *narrator
	client *client

	// connectErr is what became of connecting, which spans steps 2 to 5.
	connectErr error
	// challenge is the 401's, since step 1.
	challenge oauthex.Challenge
	// server is the authorization server's metadata, since step 2.
	server oauthex.AuthServerMeta
	// clientID is the registered client, since step 3 (and anew in step 9).
	clientID string
	// missing are the scopes that the 403 of step 8 asked for; may stay empty.
	missing []string
	// unwanted is the title of the task that step 8 must not create.
	unwanted string
}

func newStory(opts Options) (*story, error) {
	client, err := newClient(opts)
	if err != nil {
		return nil, err
	}
	return &story{
		opts:   opts,
		client: client,
		out:    &narrator{w: opts.Out, color: opts.Color, hide: client.watch.hide},
	}, nil
}

// bearer is the Bearer challenge of an answer.
func bearer(header http.Header) (oauthex.Challenge, error) {
	const want = `a WWW-Authenticate header that starts with "Bearer"`
	values := header.Values("WWW-Authenticate")
	challenges, err := oauthex.ParseWWWAuthenticate(values)
	if err != nil {
		return oauthex.Challenge{}, expected(want, fmt.Sprintf("%q", values), err)
	}
	i := slices.IndexFunc(challenges, func(c oauthex.Challenge) bool { return c.Scheme == "bearer" })
	if i < 0 {
		return oauthex.Challenge{}, expected(want, fmt.Sprintf("%q", values), nil)
	}
	return challenges[i], nil
}

// sayExchange narrates a request and its status.
func (s *story) sayExchange(e exchange) {
	s.out.say("", fmt.Sprintf("%s %s → %d %s", e.method, e.url, e.status, http.StatusText(e.status)))
}

// subset returns the first element of a that b lacks, and whether all are there.
func subset(a, b []string) (missing string, ok bool) {
	for _, item := range a {
		if !slices.Contains(b, item) {
			return item, false
		}
	}
	return "", true
}
