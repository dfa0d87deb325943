package oauth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Bounds on a scope parameter. Requests from strangers carry it, so both its
// members and its length have an end.
const (
	MaxScopes      = 128
	MaxScopeLength = 128
)

// OfflineAccess is the scope by which a client asks for a refresh token
// (OpenID Connect Core §11). Resources never advertise it.
const OfflineAccess = "offline_access"

// ScopeSet is an ordered set of scope names (RFC 6749 §3.3). The zero value is
// the empty set. A ScopeSet is immutable: every operation returns a new one.
type ScopeSet struct {
	names []string
}

// NewScopeSet makes a set of the names in their order, each once.
func NewScopeSet(names ...string) ScopeSet {
	set := ScopeSet{names: make([]string, 0, len(names))}
	for _, name := range names {
		if name != "" && !set.Has(name) {
			set.names = append(set.names, name)
		}
	}
	return set
}

// ParseScope reads the space-delimited form. An empty string is the empty set;
// a name with characters outside RFC 6749's scope-token, or one past the
// bounds, is an invalid_scope Error.
func ParseScope(s string) (ScopeSet, error) {
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
	if len(fields) > MaxScopes {
		return ScopeSet{}, Errorf(InvalidScope, "scope names more than %d scopes", MaxScopes)
	}
	for _, name := range fields {
		if err := ValidScope(name); err != nil {
			return ScopeSet{}, Errorf(InvalidScope, "%s", err)
		}
	}
	return NewScopeSet(fields...), nil
}

// ValidScope says why name is not a scope-token of RFC 6749 §3.3, or nil.
func ValidScope(name string) error {
	if name == "" {
		return fmt.Errorf("a scope name is empty")
	}
	if len(name) > MaxScopeLength {
		return fmt.Errorf("a scope name is longer than %d characters", MaxScopeLength)
	}
	for i := range len(name) {
		if c := name[i]; c <= 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			return fmt.Errorf("a scope name holds a character that RFC 6749 forbids")
		}
	}
	return nil
}

// Has reports whether name is in the set.
func (s ScopeSet) Has(name string) bool { return slices.Contains(s.names, name) }

// ContainsAll reports whether every member of other is in the set.
func (s ScopeSet) ContainsAll(other ScopeSet) bool {
	for _, name := range other.names {
		if !s.Has(name) {
			return false
		}
	}
	return true
}

// Intersect keeps what is in both, in the order of s.
func (s ScopeSet) Intersect(other ScopeSet) ScopeSet { return s.filter(other.Has) }

// Minus keeps what other lacks, in the order of s.
func (s ScopeSet) Minus(other ScopeSet) ScopeSet {
	return s.filter(func(name string) bool { return !other.Has(name) })
}

// Union holds s and then what other adds.
func (s ScopeSet) Union(other ScopeSet) ScopeSet {
	return NewScopeSet(slices.Concat(s.names, other.names)...)
}

func (s ScopeSet) filter(keep func(string) bool) ScopeSet {
	kept := make([]string, 0, len(s.names))
	for _, name := range s.names {
		if keep(name) {
			kept = append(kept, name)
		}
	}
	return ScopeSet{names: kept}
}

// Empty reports whether the set has no member.
func (s ScopeSet) Empty() bool { return len(s.names) == 0 }

// Names returns the members in order, never nil; the slice is the caller's own.
func (s ScopeSet) Names() []string { return append(make([]string, 0, len(s.names)), s.names...) }

// Equal reports whether both hold the same members, in whatever order.
func (s ScopeSet) Equal(other ScopeSet) bool {
	return len(s.names) == len(other.names) && s.ContainsAll(other)
}

// String is the space-delimited wire form.
func (s ScopeSet) String() string { return strings.Join(s.names, " ") }

// MarshalJSON writes the wire form as one JSON string.
func (s ScopeSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (s *ScopeSet) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := ParseScope(text)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
