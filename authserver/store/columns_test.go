package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAListIsJSONAndComesBack(t *testing.T) {
	for _, want := range [][]string{
		nil, {""}, {"", ""}, {"todo:read"}, {"a", "b", "c"}, {`"`}, {`\`}, {`","`}, {"[]"}, {"]"}, {"a,b", `x","y`}, {"ünï", "漢"}, {"<&>"},
		{"\n", "\x00", "\x7f"}, {" a "},
	} {
		text := list(want)
		var items []string
		if err := json.Unmarshal([]byte(text), &items); err != nil {
			t.Errorf("%q is no JSON: %v", text, err)
		}
		if len(want) > 0 {
			if diff := cmp.Diff(want, items); diff != "" {
				t.Errorf("%q as JSON (-want +got):\n%s", text, diff)
			}
		}
		got, err := parseList[string](text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q (-want +got): %v\n%s", text, err, diff)
		}
	}
}

func TestAListThatAnotherProgramWroteIsReadToo(t *testing.T) {
	for _, text := range []string{`["a","<"]`, `["a","\u003c"]`, `["a", "<"]`, `[ "a","<" ]`} {
		got, err := parseList[string](text)
		if diff := cmp.Diff([]string{"a", "<"}, got); err != nil || diff != "" {
			t.Errorf("%q (-want +got): %v\n%s", text, err, diff)
		}
	}
}

func TestADamagedListIsAnError(t *testing.T) {
	for _, value := range []any{"", "a", `["a`, `["a]`, `[a"]`, `"a"`, `{"a":"b"}`, `["a",1]`, `[1]`, `["a" "b"]`, int64(1), nil} {
		if got, err := parseList[string](value); err == nil {
			t.Errorf("%v is read as %q", value, got)
		}
	}
}
