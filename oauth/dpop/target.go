package dpop

import (
	"net/url"
	"strings"
)

// sameTarget compares the URLs of two requests, without query and fragment, after
// the normalisation that RFC 9449 §4.3 asks for: scheme and host in lower case, the
// scheme's own port left out, an empty path as "/", percent-encoding in one way
// (RFC 3986 §6.2.2.1, §6.2.2.2 and §6.2.3). Dot segments are left as they are: no
// client of HTTP sends them.
func sameTarget(a, b string) bool {
	one, ok := normalize(a)
	other, valid := normalize(b)
	return ok && valid && one == other
}

func normalize(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + strings.TrimSuffix(host, ":") + decodeUnreserved(path), true
}

// decodeUnreserved writes each encoded byte in the one way that is left: plain where
// it may be, in upper case where not.
func decodeUnreserved(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		code := path[i : i+3]
		plain, err := url.PathUnescape(code)
		if err == nil && len(plain) == 1 && unreserved(plain[0]) {
			b.WriteString(plain)
		} else {
			b.WriteString(strings.ToUpper(code))
		}
		i += 2
	}
	return b.String()
}

// unreserved is RFC 3986 §2.3.
func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return strings.IndexByte("-._~", c) >= 0
	}
}
