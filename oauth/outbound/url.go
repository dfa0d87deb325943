package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
)

// maxHostLength bounds a host's name (RFC 1035 §2.3.4), in bytes.
const maxHostLength = 253

// Check says why raw is not a URL that may be fetched, or nil. It looks nothing
// up: whether the host's address is public shows when it is dialled. Its errors
// wrap ErrURL, and their text is for whoever wrote the URL.
func (c *Client) Check(raw string) error {
	if len(raw) > oauth.MaxURLLength {
		return fmt.Errorf("%w: it is longer than %d characters", ErrURL, oauth.MaxURLLength)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: it is malformed", ErrURL)
	}
	if strings.Contains(raw, "#") {
		return fmt.Errorf("%w: it has a fragment", ErrURL)
	}
	return c.check(u)
}

func (c *Client) check(u *url.URL) error {
	privateHost := c.privateHosts[strings.ToLower(u.Hostname())]
	switch {
	case u.Opaque != "" || u.Host == "":
		return fmt.Errorf("%w: it names no host", ErrURL)
	case u.User != nil || strings.Contains(u.Host, "@"):
		return fmt.Errorf("%w: it has user information", ErrURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !privateHost):
		return fmt.Errorf("%w: it is not https", ErrURL)
	case strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("%w: its port is empty", ErrURL)
	case u.Port() != "" && u.Port() != "443" && !privateHost:
		return fmt.Errorf("%w: its port is not 443", ErrURL)
	case !isHost(u.Hostname()):
		return fmt.Errorf("%w: its host is neither a name nor an address in its plain form", ErrURL)
	}
	return nil
}

// isHost refuses every spelling that one resolver takes for a number and another
// for a name (2130706433, 0x7f.1, 0177.0.0.1), and zones, escapes and IPv4 in
// IPv6.
func isHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == "" && !address.Is4In6()
	}
	if len(host) > maxHostLength {
		return false
	}
	last := ""
	for last = range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if !isLabel(last) {
			return false
		}
	}
	return !isNumber(last)
}

func isLabel(label string) bool {
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return label != "" && len(label) <= 63
}

// isNumber reports whether a last label makes the whole name an IPv4 address for
// those who read it as the WHATWG URL standard does.
func isNumber(label string) bool {
	digits, hexadecimal := strings.CutPrefix(strings.ToLower(label), "0x")
	for i := range len(digits) {
		c := digits[i]
		if (c < '0' || c > '9') && (!hexadecimal || c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
