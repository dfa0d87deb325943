package oauth

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// MaxURLLength bounds every URL that a request or a document may carry.
const MaxURLLength = 2048

// ResourceID is the short, stable name of a protected resource within its
// authorization server, for example "apps-todo". It is part of the resource's
// issuer, {issuer}/resources/{id}.
type ResourceID string

// ResourceKey is the form of a resource indicator (RFC 8707) under which two
// spellings of the same resource meet: scheme and host in lower case, and an
// empty path written "/". Nothing else is normalised, since everything else may
// be a different resource.
type ResourceKey string

// ParseResource checks a resource indicator and returns its key. RFC 8707 §2
// asks for an absolute URI without a fragment; user information is refused as
// well, because it makes one host look like another.
func ParseResource(raw string) (ResourceKey, error) {
	if len(raw) > MaxURLLength {
		return "", fmt.Errorf("the resource is longer than %d characters", MaxURLLength)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", errors.New("the resource is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return "", errors.New("the resource is not an absolute https or http URL")
	case strings.Contains(raw, "#"):
		return "", errors.New("the resource has a fragment")
	case u.User != nil:
		return "", errors.New("the resource has user information")
	}
	// Only the authority's spelling is touched; the rest stays byte for byte.
	schemeEnd := strings.Index(raw, "://") + len("://")
	if !strings.HasPrefix(raw[schemeEnd:], u.Host) {
		return "", errors.New("the resource has percent-encoding in its host")
	}
	rest := raw[schemeEnd+len(u.Host):]
	if rest == "" || rest[0] == '?' {
		rest = "/" + rest
	}
	return ResourceKey(strings.ToLower(raw[:schemeEnd+len(u.Host)]) + rest), nil
}

// IsLoopbackHost reports whether a host, as url.URL.Hostname returns it, without
// port and brackets, is this machine by name or literal address: localhost, 127.0.0.0/8 or ::1. Look-alikes such as
// localhost.example, 127.0.0.1.example or IPv4-mapped IPv6 are not.
func IsLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && !addr.Is4In6() && addr.IsLoopback()
}

// ValidServiceURL says why raw cannot be the public URL of an issuer or a
// protected resource: https (http for loopback hosts only), no fragment, no
// query, no user information, no dot segments or encoded slashes in the path.
func ValidServiceURL(raw string) error {
	if len(raw) > MaxURLLength {
		return fmt.Errorf("is longer than %d characters", MaxURLLength)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return errors.New("is not an absolute https:// or http:// URL")
	case u.User != nil:
		return errors.New("must not carry user information")
	case strings.ContainsAny(raw, "?#"):
		return errors.New("must have neither query nor fragment")
	case u.Scheme == "http" && !IsLoopbackHost(u.Hostname()):
		return errors.New("must be https; plain http is for loopback hosts only")
	case u.Host != strings.ToLower(u.Host):
		return errors.New("must have its host in lower case")
	}
	if _, port, err := net.SplitHostPort(u.Host); err == nil && port == "" {
		return errors.New("has an empty port")
	}
	return cleanPath(u)
}

func cleanPath(u *url.URL) error {
	path := u.EscapedPath()
	if strings.ContainsAny(path, "%\\;") {
		return errors.New("must not have percent-encoding, backslashes or semicolons in its path")
	}
	if strings.Contains(path, "//") {
		return errors.New("must not have empty segments in its path")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("must not have dot segments in its path")
		}
	}
	return nil
}
