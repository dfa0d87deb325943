package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// dangerousSchemes never carry an authorization response: a browser would
// execute or open them itself.
var dangerousSchemes = map[string]bool{
	"javascript": true, "data": true, "file": true, "vbscript": true, "blob": true, "about": true,
	"filesystem": true, "view-source": true, "ws": true, "wss": true, "ftp": true, "mailto": true,
}

// ValidRedirectURI says why raw cannot be registered as a redirect URI, or nil.
// Allowed are https URLs, http URLs on loopback hosts (RFC 8252 §7.3) and
// private-use schemes of native apps (§7.1; with or without a period, since
// hosts such as Cursor use "cursor:").
func ValidRedirectURI(raw string) error {
	u, err := parseRedirect(raw)
	if err != nil {
		return err
	}
	scheme := strings.ToLower(u.Scheme)
	switch {
	case dangerousSchemes[scheme]:
		return fmt.Errorf("the scheme %q is never a redirect target", scheme)
	case scheme == "http" && !IsLoopbackHost(u.Hostname()):
		return errors.New("http is for loopback hosts only; use https")
	case (scheme == "https" || scheme == "http") && u.Hostname() == "":
		return errors.New("it has no host")
	}
	return nil
}

func parseRedirect(raw string) (*url.URL, error) {
	if raw == "" || len(raw) > MaxURLLength {
		return nil, fmt.Errorf("it is empty or longer than %d characters", MaxURLLength)
	}
	for i := range len(raw) {
		if c := raw[i]; c <= 0x20 || c == 0x7f || c == '\\' || c > 0x7f {
			return nil, errors.New("it holds white space, a backslash or a character outside ASCII")
		}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return nil, errors.New("it is not an absolute URI")
	case strings.Contains(raw, "#"):
		return nil, errors.New("it has a fragment")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, errors.New("it has user information")
	case hasDotSegment(u):
		return nil, errors.New("it has dot segments")
	}
	return u, nil
}

// hasDotSegment looks at the decoded path, takes a backslash for a slash and a
// segment's parameters as absent, because some servers behind a redirect do.
func hasDotSegment(u *url.URL) bool {
	for segment := range strings.SplitSeq(strings.ReplaceAll(u.Path, `\`, "/"), "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// MatchRedirectURI reports whether requested is the registered redirect URI:
// byte for byte, except that the port of an http loopback URI is free (RFC 8252
// §7.3). The exception covers localhost by name, because deployed native hosts
// register it so.
func MatchRedirectURI(registered, requested string) bool {
	if registered == requested {
		return ValidRedirectURI(requested) == nil
	}
	r, err := parseRedirect(registered)
	if err != nil || r.Scheme != "http" || !IsLoopbackHost(r.Hostname()) {
		return false
	}
	q, err := parseRedirect(requested)
	if err != nil || q.Scheme != "http" || q.Hostname() != r.Hostname() {
		return false
	}
	return withoutPort(registered, r) == withoutPort(requested, q)
}

// withoutPort cuts the port from the raw text, so that the rest compares byte
// for byte and no re-encoding can make two different URIs alike.
func withoutPort(raw string, u *url.URL) string {
	port := u.Port()
	if port == "" {
		return raw
	}
	return strings.Replace(raw, u.Host, strings.TrimSuffix(u.Host, ":"+port), 1)
}

// RedirectHost is what a consent page shows for a redirect URI: its host, or
// its scheme for an app of a private-use scheme.
func RedirectHost(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":"
	}
	return u.Host
}

// IsLoopbackRedirect reports whether the redirect URI leads back to the user's
// own machine, where any local program may be listening.
func IsLoopbackRedirect(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http" && IsLoopbackHost(u.Hostname())
}

// IsWebRedirect reports whether the redirect URI is an https URL, which leads to
// whoever holds the host's certificate and nobody else.
func IsWebRedirect(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && !IsLoopbackHost(u.Hostname())
}
