package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestAStarStandsForAnyRunAndEverythingElseForItself(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"list_*", "list_tasks", true},
		{"list_*", "list_", true},
		{"list_*", "list", false},
		{"list_*", "alist_tasks", false},
		{"*_task", "get_task", true},
		{"*_task", "get_task_", false},
		{"*", "", true},
		{"*", "anything at all/ü", true},
		{"**", "x", true},
		{"", "", true},
		{"", "x", false},
		{"a*b*c", "abc", true},
		{"a*b*c", "a-b-b-c", true},
		{"a*b*c", "a-c-b", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*ab*ab*", "abab", true},
		{"*ab*ab*", "aba", false},
		{"get_task", "get_task", true},
		{"get_task", "get_tasks", false},
		{"get_task", "GET_TASK", false},
		{"a?c", "abc", false},
		{"a?c", "a?c", true},
		{"[a-z]", "b", false},
		{"a.c", "abc", false},
		{`a\*c`, "a*c", false},
		{`a\*c`, `a\xc`, true},
		{"todo://*/items", "todo://a/b/items", true},
		{"ü*", "über", true},
		{"list_*", "list_\x00\n", true},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

// A matcher that tries every star against every other one takes longer than the
// universe for these.
func TestPatternsMadeToBeSlowAreNot(t *testing.T) {
	name := strings.Repeat("a", 20_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, pattern := range []string{
			strings.Repeat("*a", 100) + "b", strings.Repeat("a*", 100) + "b", "*" + strings.Repeat("a", 1000) + "b",
			strings.Repeat("*", 5000) + "b", strings.Repeat("*aa*a", 50) + "*b",
		} {
			if match(pattern, name) {
				t.Errorf("%.20q… matches", pattern)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("waited 20 s for five patterns")
	}
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"list_*", "list_tasks"}, {"a*b*c", "a-b-b-c"}, {"*ab*ab*", "aba"}, {"", ""}, {"**", "x"}, {`a\*`, "a*"}, {"ü*", "ü"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		reference, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil || !validUTF8(pattern, name) {
			t.Skip() // the reference reads runes, match reads bytes
		}
		if got, want := match(pattern, name), reference.MatchString(name); got != want {
			t.Errorf("match(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

func validUTF8(texts ...string) bool {
	for _, s := range texts {
		if strings.ToValidUTF8(s, "") != s {
			return false
		}
	}
	return true
}
