package journey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Names and values on which the pages and this browser agree.
const (
	fieldUsername = "username"
	fieldPassword = "password"
	fieldScope    = "scope"
	buttonName    = "decision"
	buttonApprove = "approve"
	buttonDeny    = "deny"
)

// visit is one authorization: from the URL that the client opened to the
// redirect that ends it.
type visit struct {
	browser  *Browser
	redirect *url.URL
	signedIn bool
}

// follow makes a request and follows its redirects, up to a page or to the
// client's redirect URI, of which exactly one is returned.
func (v *visit) follow(ctx context.Context, r *request) (*page, *url.URL, error) {
	leaving := r.from
	for range maxRedirects {
		if err := leaving.allows(r.url); err != nil {
			return nil, nil, err
		}
		response, err := v.browser.do(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		next, err := location(response)
		if err != nil || next == nil {
			page, pageErr := readPage(response)
			return page, nil, errors.Join(err, pageErr)
		}
		_ = response.Body.Close()
		if hostPath(next) == hostPath(v.redirect) {
			return nil, next, leaving.allows(next)
		}
		r = &request{method: http.MethodGet, url: next}
	}
	return nil, nil, fmt.Errorf("more than %d redirects, the last to %s", maxRedirects, hostPath(r.url))
}

// location is the target of a redirect, nil where the response is none. 307 and
// 308 are refused: they would send the password on to the next URL.
func location(response *http.Response) (*url.URL, error) {
	switch response.StatusCode {
	case http.StatusFound, http.StatusSeeOther, http.StatusMovedPermanently:
		target, err := response.Location()
		if err != nil {
			return nil, fmt.Errorf("redirect from %s: %w", hostPath(response.Request.URL), err)
		}
		return target, nil
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return nil, fmt.Errorf("%s redirects by %s, which repeats a form's content at its target",
			hostPath(response.Request.URL), response.Status)
	}
	return nil, nil
}

// readPage reads an HTML page; any other answer is an error that quotes it.
func readPage(response *http.Response) (*page, error) {
	defer response.Body.Close()
	at := hostPath(response.Request.URL)
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != "text/html" {
		return nil, fmt.Errorf("%s answered %s with content type %q, want a page or a redirect",
			at, response.Status, response.Header.Get("Content-Type"))
	}
	page, err := parsePage(response.Request.URL, response.Header, io.LimitReader(response.Body, maxPageSize))
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", at, err)
	}
	// A refused sign-in may come with a 4xx status and the form once more.
	if response.StatusCode != http.StatusOK && len(page.forms) == 0 {
		return nil, fmt.Errorf("%s answered %s: %s", at, response.Status, page.text)
	}
	return page, nil
}

// answer fills in the form of a page: sign-in, or consent.
func (v *visit) answer(p *page) (*request, error) {
	if f := p.formWith(fieldUsername, fieldPassword); f != nil {
		return v.signIn(p, f)
	}
	if f := p.formWithButton(buttonName); f != nil {
		return v.consent(p, f)
	}
	return nil, fmt.Errorf("page %s has neither a sign-in nor a consent form: %s", hostPath(p.url), p.text)
}

func (v *visit) signIn(p *page, f *form) (*request, error) {
	if v.signedIn {
		return nil, fmt.Errorf("%w: %s", ErrSignInRefused, p.text)
	}
	v.signedIn = true
	f.fields.Set(fieldUsername, v.browser.Username)
	f.fields.Set(fieldPassword, v.browser.Password)
	v.browser.report(p, "signed in as "+v.browser.Username)
	return p.submit(f)
}

func (v *visit) consent(p *page, f *form) (*request, error) {
	value := buttonApprove
	if v.browser.Deny {
		value = buttonDeny
	}
	if !slices.Contains(f.buttons, button{buttonName, value}) {
		return nil, fmt.Errorf("consent page %s has no button %s=%s", hostPath(p.url), buttonName, value)
	}
	if err := f.pickScopes(v.browser.Scopes); err != nil {
		return nil, fmt.Errorf("consent page %s: %w", hostPath(p.url), err)
	}
	f.fields.Set(buttonName, value)
	v.browser.report(p, "pressed "+value)
	return p.submit(f)
}

// pickScopes ticks the boxes named in want and no others; nil leaves them be.
func (f *form) pickScopes(want []string) error {
	if want == nil {
		return nil
	}
	f.fields.Del(fieldScope)
	for _, scope := range want {
		if !slices.Contains(f.boxes, button{fieldScope, scope}) {
			return fmt.Errorf("it offers no box for the scope %q", scope)
		}
		f.fields.Add(fieldScope, scope)
	}
	return nil
}

func (b *Browser) report(p *page, did string) {
	if b.Visited != nil {
		b.Visited(p.url, did)
	}
}

// submit is what pressing the form's button requests.
func (p *page) submit(f *form) (*request, error) {
	if !strings.EqualFold(f.method, http.MethodPost) {
		return nil, fmt.Errorf("the form on %s is sent by %q: only POST keeps its content out of URLs", hostPath(p.url), f.method)
	}
	return &request{method: http.MethodPost, url: f.action, form: f.fields, from: p}, nil
}
