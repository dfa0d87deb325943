package journey

import (
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
)

// allows says whether the page's Content-Security-Policy lets a form on it lead
// to target. Chrome checks the redirects after a submission too, so a consent
// page with form-action 'self' never reaches a client's redirect URI.
// A nil page (a typed URL) allows everything.
func (p *page) allows(target *url.URL) error {
	if p == nil {
		return nil
	}
	for _, policy := range p.header.Values("Content-Security-Policy") {
		for directive := range strings.SplitSeq(policy, ";") {
			words := strings.Fields(directive)
			if len(words) == 0 || !strings.EqualFold(words[0], "form-action") {
				continue
			}
			if !slices.ContainsFunc(words[1:], func(source string) bool { return p.matches(source, target) }) {
				return fmt.Errorf("the page %s forbids its form to lead to %s (%s): browsers would stop here",
					hostPath(p.url), hostPath(target), strings.TrimSpace(directive))
			}
		}
	}
	return nil
}

// matches is the part of CSP source matching that sign-in pages use: 'self', *,
// a scheme, an origin whose port may be *.
func (p *page) matches(source string, target *url.URL) bool {
	switch {
	case source == "'self'":
		return target.Scheme == p.url.Scheme && target.Host == p.url.Host
	case source == "*":
		return target.Scheme == "http" || target.Scheme == "https"
	case strings.HasSuffix(source, ":"):
		return strings.EqualFold(target.Scheme+":", source)
	}
	scheme, rest, found := strings.Cut(source, "://")
	if !found || !strings.EqualFold(scheme, target.Scheme) {
		return false
	}
	host, _, _ := strings.Cut(rest, "/")
	if name, anyPort := strings.CutSuffix(host, ":*"); anyPort {
		return strings.EqualFold(name, target.Hostname())
	}
	return strings.EqualFold(host, target.Host)
}

// origin is the Origin header of a form on the page. Under the policy
// no-referrer browsers send "null" even to the page's own origin.
func (p *page) origin() string {
	if p.header.Get("Referrer-Policy") == "no-referrer" {
		return "null"
	}
	return p.url.Scheme + "://" + p.url.Host
}

// loopbackJar keeps Secure cookies on plain-http loopback hosts, as browsers do
// and net/http/cookiejar alone does not.
type loopbackJar struct{ jar *cookiejar.Jar }

func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.jar.SetCookies(secured(u), slices.DeleteFunc(slices.Clone(cookies), breaksPrefix))
}

func (j loopbackJar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(secured(u)) }

// breaksPrefix reports a cookie that browsers drop, because it does not keep what
// its name promises (RFC 6265bis §4.1.3).
func breaksPrefix(c *http.Cookie) bool {
	switch {
	case strings.HasPrefix(c.Name, "__Host-"):
		return !c.Secure || c.Path != "/" || c.Domain != ""
	case strings.HasPrefix(c.Name, "__Secure-"):
		return !c.Secure
	}
	return false
}

func secured(u *url.URL) *url.URL {
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return u
	}
	as := *u
	as.Scheme = "https"
	return &as
}
