package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAScopeParameterIsReadInItsOrderAndWithoutRepetition(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", []string{}},
		{"spaces", "   ", []string{}},
		{"one", "todo:read", []string{"todo:read"}},
		{"several", "todo:write todo:read", []string{"todo:write", "todo:read"}},
		{"repetitions and spaces", " a  b a ", []string{"a", "b"}},
		{"every character RFC 6749 allows", "!#[]~ https://h/x?y=z&a", []string{"!#[]~", "https://h/x?y=z&a"}},
		{"the longest name", strings.Repeat("s", MaxScopeLength), []string{strings.Repeat("s", MaxScopeLength)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := ParseScope(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, set.Names()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAScopeParameterBeyondTheRulesIsInvalidScope(t *testing.T) {
	many := make([]string, MaxScopes+1)
	for i := range many {
		many[i] = fmt.Sprintf("s%d", i)
	}
	for name, text := range map[string]string{
		"a tab":               "a\tb",
		"a line break":        "a\nb",
		"a quote":             `a"b`,
		"a backslash":         `a\b`,
		"a NUL":               "a\x00",
		"a DEL":               "a\x7f",
		"a letter past ASCII": "lesen:ä",
		"invalid UTF-8":       "a\xff",
		"a no-break space":    "a\u00a0b",
		"a name too long":     strings.Repeat("s", MaxScopeLength+1),
		"too many names":      strings.Join(many, " "),
	} {
		set, err := ParseScope(text)
		var oauthErr *Error
		if !errors.As(err, &oauthErr) || oauthErr.Code != InvalidScope || !set.Empty() {
			t.Errorf("%s: got %v, %v", name, set.Names(), err)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x00\"\\") {
			t.Errorf("%s: the error repeats what it refuses: %q", name, err)
		}
	}
}

func TestSetOperationsKeepTheOrderOfTheirFirstOperand(t *testing.T) {
	abc, cb, none := NewScopeSet("a", "b", "c"), NewScopeSet("c", "b"), ScopeSet{}
	tests := []struct {
		name string
		got  ScopeSet
		want string
	}{
		{"intersection", abc.Intersect(cb), "b c"},
		{"intersection the other way", cb.Intersect(abc), "c b"},
		{"intersection with nothing", abc.Intersect(none), ""},
		{"difference", abc.Minus(cb), "a"},
		{"difference to nothing", abc.Minus(none), "a b c"},
		{"union", cb.Union(abc), "c b a"},
		{"union with nothing", none.Union(cb), "c b"},
		{"empty names are no members", NewScopeSet("", "a", ""), "a"},
	}
	for _, tt := range tests {
		if tt.got.String() != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if abc.String() != "a b c" || cb.String() != "c b" {
		t.Error("an operation changed its operand")
	}
}

func TestMembershipIsByWholeName(t *testing.T) {
	set := NewScopeSet("todo:read", "todo:write")
	if set.Has("todo") || set.Has("") || set.Has("TODO:READ") || !set.Has("todo:read") {
		t.Error("Has is wrong")
	}
	if !set.ContainsAll(NewScopeSet("todo:write")) || !set.ContainsAll(ScopeSet{}) || set.ContainsAll(NewScopeSet("todo:read", "x")) {
		t.Error("ContainsAll is wrong")
	}
	if !set.Equal(NewScopeSet("todo:write", "todo:read")) || set.Equal(NewScopeSet("todo:read")) || (ScopeSet{}).Equal(set) {
		t.Error("Equal is wrong")
	}
}

func TestTheNamesOfASetAreTheCallersOwn(t *testing.T) {
	set := NewScopeSet("a", "b")
	set.Names()[0] = "changed"
	if set.String() != "a b" {
		t.Errorf("the set became %q", set)
	}
	if (ScopeSet{}).Names() == nil {
		t.Error("the names of the empty set are nil, which JSON writes as null")
	}
}

func TestASetTravelsInJSONAsOneString(t *testing.T) {
	data, err := json.Marshal(NewScopeSet("a", "b"))
	if err != nil || string(data) != `"a b"` {
		t.Fatalf("got %s, %v", data, err)
	}
	var set ScopeSet
	if err := json.Unmarshal(data, &set); err != nil || set.String() != "a b" {
		t.Errorf("got %q, %v", set, err)
	}
	for _, bad := range []string{`["a"]`, `1`, `"a\nb"`} {
		if err := json.Unmarshal([]byte(bad), &set); err == nil {
			t.Errorf("%s was read as %q", bad, set)
		}
	}
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range []string{"", "todo:read", " a  b a ", "a\tb", `a"b`, "openid email profile offline_access", "ä", strings.Repeat("s ", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseScope(text)
		if err != nil {
			return
		}
		if names := set.Names(); len(names) > MaxScopes {
			t.Errorf("%d names", len(names))
		}
		for _, name := range set.Names() {
			if ValidScope(name) != nil {
				t.Errorf("the set of %q holds %q", text, name)
			}
		}
		again, err := ParseScope(set.String())
		if err != nil || again.String() != set.String() {
			t.Errorf("%q is written as %q and read as %q, %v", text, set, again, err)
		}
	})
}
