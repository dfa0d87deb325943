package oauth

import "strings"

// Challenge is a WWW-Authenticate header of the Bearer scheme (RFC 6750 §3,
// RFC 9728 §5.1). The zero value is a bare "Bearer".
type Challenge struct {
	// Error is empty where the request carried no token at all (RFC 6750 §3.1).
	Error ErrorCode
	// Description is for people; it must not hold secrets.
	Description string
	// Scope is what the operation needs, or what basic use needs on a first 401.
	Scope ScopeSet
	// ResourceMetadata is the absolute URL of the protected resource metadata.
	ResourceMetadata string
}

// String is the header's value. It begins with "Bearer", for clients that look
// no further than that.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Bearer")
	separator := " "
	add := func(name, value string) {
		if value == "" {
			return
		}
		b.WriteString(separator)
		b.WriteString(name)
		b.WriteString(`="`)
		writeQuoted(&b, value)
		b.WriteByte('"')
		separator = ", "
	}
	add("error", string(c.Error))
	add("error_description", c.Description)
	add("resource_metadata", c.ResourceMetadata)
	add("scope", c.Scope.String())
	return b.String()
}

// writeQuoted keeps to the characters that RFC 6750 §3 allows between quotes, so
// that no value can end its own quotes or the header.
func writeQuoted(b *strings.Builder, s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\'')
		case c < 0x20 || c >= 0x7f:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
}
