package jsonrpc

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readers keeps what begins with "read".
func readers(_ List, name string) bool { return strings.HasPrefix(name, "read") }

func TestACutListHasWhatTheCallerMayUseAndNothingElseIsTouched(t *testing.T) {
	tests := []struct {
		name, in, want string
		cut            Cut
	}{
		{"tools", `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_a","x":1.0e3},{"name":"write"},{"name":"read_b"}],"nextCursor":"n"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_a","x":1.0e3},{"name":"read_b"}],"nextCursor":"n"}}`, Cut{}},
		{"prompts", `{"id":1,"result":{"prompts":[{"name":"write"}]}}`, `{"id":1,"result":{"prompts":[]}}`, Cut{}},
		{"resources go by URI", `{"id":1,"result":{"resources":[{"uri":"read://x","name":"write"},{"uri":"write://x","name":"read"}]}}`,
			`{"id":1,"result":{"resources":[{"uri":"read://x","name":"write"}]}}`, Cut{}},
		{"white space outside the list stays", "{ \"id\" : 1,\n\t\"result\" : { \"tools\" : [ {\"name\":\"write\"} , {\"name\":\"read\"} ] } }\n",
			"{ \"id\" : 1,\n\t\"result\" : { \"tools\" : [{\"name\":\"read\"}] } }\n", Cut{}},
		{"a list of which nothing is left out stays as it is", `{"id":1,"result":{"tools":[ {"name":"read"} ]}}`, `{"id":1,"result":{"tools":[ {"name":"read"} ]}}`, Cut{}},
		{"a name that is escaped", `{"id":1,"result":{"tools":[{"n\u0061me":"re\u0061d"},{"name":"wr\u0069te"}]}}`, `{"id":1,"result":{"tools":[{"n\u0061me":"re\u0061d"}]}}`, Cut{}},
		{"of two names the last counts", `{"id":1,"result":{"tools":[{"name":"read","name":"write"}]}}`, `{"id":1,"result":{"tools":[]}}`, Cut{}},
		{"an entry without a name is left out", `{"id":1,"result":{"tools":[{},7,{"name":7},null]}}`, `{"id":1,"result":{"tools":[]}}`, Cut{}},
		{"two lists of one name are both cut", `{"id":1,"result":{"tools":[{"name":"write"}],"tools":[{"name":"write"}]}}`, `{"id":1,"result":{"tools":[],"tools":[]}}`, Cut{}},
		{"a batch", `[{"id":1,"result":{"tools":[{"name":"write"}]}},{"id":2,"result":{"content":[]}}]`, `[{"id":1,"result":{"tools":[]}},{"id":2,"result":{"content":[]}}]`, Cut{}},
		{"a batch in which one id is a list", `[{"id":1,"result":{"tools":[{"name":"write"}]}},{"id":2,"result":{"tools":[{"name":"write"}]}}]`,
			`[{"id":1,"result":{"tools":[{"name":"write"}]}},{"id":2,"result":{"tools":[]}}]`, Cut{Of: func(id json.RawMessage) List {
				if string(id) == "2" {
					return Tools
				}
				return ""
			}}},
		{"another list than was asked for", `{"id":1,"result":{"prompts":[{"name":"write"}]}}`, `{"id":1,"result":{"prompts":[{"name":"write"}]}}`,
			Cut{Of: func(json.RawMessage) List { return Tools }}},
		{"tools elsewhere", `{"id":1,"result":{"structuredContent":{"tools":[{"name":"write"}]}},"tools":[{"name":"write"}]}`,
			`{"id":1,"result":{"structuredContent":{"tools":[{"name":"write"}]}},"tools":[{"name":"write"}]}`, Cut{}},
		{"a public list becomes the caller's", `{"id":1,"result":{"cacheScope":"public","tools":[]}}`, `{"id":1,"result":{"cacheScope":"private","tools":[]}}`, Cut{}},
		{"a list is marked where it says nothing", `{"id":1,"result":{"tools":[]}}`, `{"id":1,"result":{"cacheScope":"private","tools":[]}}`, Cut{Private: true}},
		{"a public list behind its entries", `{"id":1,"result":{"tools":[{"name":"write"}],"cacheScope":"public"}}`, `{"id":1,"result":{"tools":[],"cacheScope":"private"}}`, Cut{Private: true}},
		{"what is no list is not marked", `{"id":1,"result":{"content":[],"cacheScope":"public"}}`, `{"id":1,"result":{"content":[],"cacheScope":"public"}}`, Cut{Private: true}},
		{"an error", `{"id":1,"error":{"code":1}}`, `{"id":1,"error":{"code":1}}`, Cut{Private: true}},
		{"a result that is no object", `{"id":1,"result":[{"tools":[]}]}`, `{"id":1,"result":[{"tools":[]}]}`, Cut{Private: true}},
		{"a scalar", `7`, `7`, Cut{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cut.Keep = readers
			got, err := tt.cut.Apply([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotJSONIsNotCut(t *testing.T) {
	for _, text := range []string{"", "<html>", `{"id":1,"result":{"tools":[`} {
		if _, err := (&Cut{Keep: readers}).Apply([]byte(text)); err == nil {
			t.Errorf("%q was cut", text)
		}
	}
}

// FuzzCut makes sure that what is cut is JSON still, that nothing forbidden is left in
// it, and that cutting twice is cutting once.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"result":{"tools":[{"name":"read"},{"name":"write"}],"cacheScope":"public"}}`,
		`[{"id":1,"result":{"prompts":[]}},{"result":{"resources":[{"uri":"x"}]}}]`,
		`{"result":{"tools":[{"name":"\ud800"}, [], "a", {"name":"read","name":"write"}]}}`, `{}`, `[]`, ` [ { } ] `,
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, private bool) {
		cut := &Cut{Keep: readers, Private: private}
		once, err := cut.Apply(data)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%q became %q, which is not JSON", data, once)
		}
		twice, err := cut.Apply(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("cut once: %q, twice: %q, %v", once, twice, err)
		}
		var message struct {
			Result struct {
				Tools []struct {
					Name string `json:"name"`
				} `json:"tools"`
			} `json:"result"`
		}
		if json.Unmarshal(once, &message) == nil {
			for _, tool := range message.Result.Tools {
				if tool.Name != "" && !readers(Tools, tool.Name) && strings.Count(string(once), "tools") == 1 &&
					strings.Count(strings.ToLower(string(once)), "name") == len(message.Result.Tools) {
					t.Fatalf("%q still lists %q", once, tool.Name)
				}
			}
		}
	})
}
