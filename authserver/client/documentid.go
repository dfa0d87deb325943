package client

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// IsDocumentID reports whether a client id means to be the URL of a metadata
// document: it is an https URL. Whether it may be one, ValidDocumentID says.
func IsDocumentID(id string) bool { return strings.HasPrefix(id, "https://") }

// ValidDocumentID says why a client id cannot be the URL of a metadata document,
// or nil (draft-ietf-oauth-client-id-metadata-document-02 §3). Ids are compared
// byte for byte, so a spelling that leads to the same place in another way is
// refused beside what the draft refuses. The errors' text is for the error page.
func ValidDocumentID(id string) error {
	if !IsDocumentID(id) {
		return errors.New("its client_id is not an https URL")
	}
	for i := range len(id) {
		if c := id[i]; c <= 0x20 || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' {
			return errors.New("its client_id holds a character that no URL may hold")
		}
	}
	u, err := url.Parse(id)
	switch {
	case len(id) > MaxIDLength:
		return errors.New("its client_id is too long")
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return errors.New("its client_id is malformed")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return errors.New("its client_id has user information")
	case strings.Contains(id, "#"):
		return errors.New("its client_id has a fragment")
	case u.Path == "" || u.Path == "/":
		return errors.New("its client_id has no path")
	case !isPlainHost(u.Hostname()), strings.HasSuffix(u.Host, ":"), !strings.HasPrefix(id[len("https://"):], u.Host):
		return errors.New("its client_id does not have its host in the plain form")
	case hasDotSegment(u.Path):
		return errors.New("its client_id has dot segments")
	}
	return nil
}

// isPlainHost keeps to lower case, so that one host has one spelling.
func isPlainHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == "" && address.String() == host
	}
	for i := range len(host) {
		if c := host[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return !strings.HasSuffix(host, ".")
}

// hasDotSegment looks at the decoded path and takes a segment's parameters as
// absent, as some servers do.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return true
		}
	}
	return false
}

// documentHost is the host of a valid document id, without its port.
func documentHost(id string) string {
	u, err := url.Parse(id)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
