package journey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// Bounds on what a Browser puts up with.
const (
	maxPages     = 8
	maxRedirects = 10
	maxPageSize  = 1 << 20
	pageTimeout  = 30 * time.Second
)

// ErrSignInRefused means that the sign-in page came back after username and
// password had been submitted.
var ErrSignInRefused = errors.New("the sign-in page came back: username or password refused")

// Browser is a person at a browser: it fetches pages, keeps cookies, fills in
// the forms it meets and presses their buttons. It holds to rules that browsers
// enforce and HTTP clients do not: the page's form-action policy, the Origin
// header, Secure cookies on loopback hosts.
//
// The zero value is a signed-out browser without a name to sign in with. A
// Browser keeps its session between calls; it is for one goroutine at a time.
type Browser struct {
	Username, Password string
	// Deny presses the consent page's "deny" instead of "approve".
	Deny bool
	// Scopes are the boxes to leave ticked on the consent page; nil leaves the
	// page's own choice. Where the page offers no choice, that is an error.
	Scopes []string
	// Visited, if set, is told each page with a form, and what was done with it.
	Visited func(page *url.URL, did string)
	// Transport carries the requests; nil means http.DefaultTransport.
	Transport http.RoundTripper

	client *http.Client
}

// SignInAndConsent opens an authorization URL, signs in and consents where the
// pages ask for it, and returns the redirect URI with the parameters of the
// authorization response, which it does not fetch (see Open). A response that
// carries an error parameter is returned like any other.
func (b *Browser) SignInAndConsent(ctx context.Context, authorizeURL string) (url.URL, error) {
	start, err := url.Parse(authorizeURL)
	if err != nil {
		return url.URL{}, fmt.Errorf("authorization URL: %w", err)
	}
	redirect, err := url.Parse(start.Query().Get("redirect_uri"))
	if err != nil || redirect.Host == "" {
		return url.URL{}, errors.New("the authorization URL names no redirect_uri")
	}
	visit := &visit{browser: b, redirect: redirect}
	at := &request{method: http.MethodGet, url: start}
	for range maxPages {
		page, callback, err := visit.follow(ctx, at)
		if err != nil || callback != nil {
			return deref(callback), err
		}
		if at, err = visit.answer(page); err != nil {
			return url.URL{}, err
		}
	}
	return url.URL{}, fmt.Errorf("still no redirect to %s after %d pages", redirect, maxPages)
}

// Open fetches a URL, as following a link does, and demands a 2xx answer.
func (b *Browser) Open(ctx context.Context, u url.URL) error {
	response, err := b.do(ctx, &request{method: http.MethodGet, url: &u})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", hostPath(&u), response.Status)
	}
	return nil
}

// request is what the browser does next. The page it leaves decides where the
// request may lead and which origin it names; a typed URL has none.
type request struct {
	method string
	url    *url.URL
	form   url.Values
	from   *page
}

func (b *Browser) do(ctx context.Context, r *request) (*http.Response, error) {
	if err := b.start(); err != nil {
		return nil, err
	}
	var body io.Reader
	if r.method == http.MethodPost {
		body = strings.NewReader(r.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Site", "none")
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", r.from.origin())
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return b.client.Do(req)
}

func (b *Browser) start() error {
	if b.client != nil {
		return nil
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return fmt.Errorf("cookie jar: %w", err)
	}
	b.client = &http.Client{
		Jar:           loopbackJar{jar},
		Transport:     b.Transport,
		Timeout:       pageTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

func deref(u *url.URL) url.URL {
	if u == nil {
		return url.URL{}
	}
	return *u
}

// hostPath is a URL without the query, which may hold secrets.
func hostPath(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
