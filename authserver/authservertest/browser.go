package authservertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Browser fetches pages, keeps cookies and follows no redirect by itself. A new
// one is a person who has never been here.
type Browser struct {
	Client *http.Client
	test   testing.TB
}

// NewBrowser makes a browser without cookies.
func NewBrowser(t testing.TB) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("make a cookie jar: %v", err)
	}
	return &Browser{test: t, Client: &http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Page is an answer that was read to its end.
type Page struct {
	Status   int
	Header   http.Header
	Body     string
	URL      *url.URL
	Location *url.URL // of a redirect, else nil
	browser  *Browser
}

// Get fetches a URL.
func (b *Browser) Get(target string) *Page {
	b.test.Helper()
	request, err := http.NewRequestWithContext(b.test.Context(), http.MethodGet, target, nil)
	return b.do(request, err)
}

// Post sends a form.
func (b *Browser) Post(target string, form url.Values) *Page {
	b.test.Helper()
	request, err := http.NewRequestWithContext(b.test.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err == nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return b.do(request, err)
}

func (b *Browser) do(request *http.Request, err error) *Page {
	b.test.Helper()
	if err != nil {
		b.test.Fatal(err)
	}
	response, err := b.Client.Do(request)
	return b.read(response, err)
}

func (b *Browser) read(response *http.Response, err error) *Page {
	b.test.Helper()
	if err != nil {
		b.test.Fatalf("fetch a page: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.test.Fatalf("read a page: %v", err)
	}
	p := &Page{Status: response.StatusCode, Header: response.Header, Body: string(body), URL: response.Request.URL, browser: b}
	if response.Header.Get("Location") != "" {
		if p.Location, err = response.Location(); err != nil {
			b.test.Fatalf("read a redirect: %v", err)
		}
	}
	return p
}

// Follow goes where a redirect leads, and again, until a page or a URL that does
// not begin with within.
func (p *Page) Follow(within string) *Page {
	p.browser.test.Helper()
	for range 10 {
		if p.Location == nil || !strings.HasPrefix(p.Location.String(), within) {
			return p
		}
		p = p.browser.Get(p.Location.String())
	}
	p.browser.test.Fatalf("more than 10 redirects, the last to %s", p.Location)
	return nil
}

// Submit sends the page's first form that has an input or button of that name,
// with the values in place of its own.
func (p *Page) Submit(having string, values url.Values) *Page {
	p.browser.test.Helper()
	action, form, err := p.form(having)
	if err != nil {
		p.browser.test.Fatalf("submit a form: %v", err)
	}
	for name, value := range values {
		form[name] = value
	}
	return p.browser.Post(action, form)
}

// Has reports whether the page has a form with an input or button of that name.
func (p *Page) Has(name string) bool {
	_, _, err := p.form(name)
	return err == nil
}

// form finds a form: where it goes and what it would send untouched.
func (p *Page) form(having string) (action string, fields url.Values, err error) {
	root, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		return "", nil, err
	}
	for n := range root.Descendants() {
		if n.DataAtom != atom.Form {
			continue
		}
		fields, found := url.Values{}, false
		for child := range n.Descendants() {
			name := attr(child, "name")
			found = found || name != "" && name == having
			if child.DataAtom == atom.Input {
				fields.Add(name, attr(child, "value"))
			}
		}
		if found {
			target, err := p.URL.Parse(attr(n, "action"))
			return target.String(), fields, err
		}
	}
	return "", nil, fmt.Errorf("%s answered %d without a form that has %q: %s", p.URL.Path, p.Status, having, p.Body)
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
