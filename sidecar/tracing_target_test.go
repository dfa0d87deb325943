package sidecar

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A span whose attribute is no text is refused by every collector, together with the
// spans of others that travel with it.
func TestALongTargetIsCutBetweenItsCharacters(t *testing.T) {
	for shift := range 3 {
		b, kept := traced(t)
		tool := "get_" + strings.Repeat("x", shift) + strings.Repeat("日", 200)
		wantStatus(t, b.post(t, token(t, "todo:read"), call(tool)), 200)
		target := attributes(only(t, b, kept))["mcpauth.target"]
		if !utf8.ValidString(target) || !strings.HasPrefix(tool, target) || len(target) < 200 {
			t.Errorf("the span names %q", target)
		}
	}
}
