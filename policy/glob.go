package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
)

// match reports whether name fits pattern, in which * stands for any run of
// characters and everything else for itself. It takes time linear in
// len(pattern) × len(name) at worst: on a mismatch only the last star moves.
func match(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// climbs reports whether a URI means another one to whoever resolves dot segments, or
// decodes before it does: "file:///public/../etc/passwd" fits "file:///public/*" and is
// not meant by it.
func climbs(uri string) bool {
	if !strings.Contains(uri, ".") && !strings.ContainsAny(uri, "%\\") {
		return false
	}
	plain := uri
	// What is decoded more than once is not known; three times is more than anybody does.
	for range 3 {
		decoded, err := url.PathUnescape(plain)
		if err != nil {
			return true
		}
		if decoded == plain {
			break
		}
		plain = decoded
	}
	for segment := range strings.FieldsFuncSeq(plain, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// strictUnmarshal refuses unknown fields and trailing data.
func strictUnmarshal(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is data behind the policy")
	}
	return nil
}
