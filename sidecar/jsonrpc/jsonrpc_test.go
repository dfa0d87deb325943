package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseReadsWhatADecisionNeeds(t *testing.T) {
	tests := []struct {
		name string
		body string
		want []Message
	}{
		{"a tool call", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get_task","arguments":{"id":"1"}}}`,
			[]Message{{Method: "tools/call", ID: json.RawMessage("7"), Name: "get_task"}}},
		{"params before the method", `{"params":{"name":"get_task"},"method":"tools/call","id":"a"}`,
			[]Message{{Method: "tools/call", ID: json.RawMessage(`"a"`), Name: "get_task"}}},
		{"a resource", `{"id":1,"method":"resources/read","params":{"uri":"file:///a%20b"}}`,
			[]Message{{Method: "resources/read", ID: json.RawMessage("1"), URI: "file:///a%20b"}}},
		{"a task", `{"id":1,"method":"tasks/get","params":{"taskId":"t1"}}`,
			[]Message{{Method: "tasks/get", ID: json.RawMessage("1"), TaskID: "t1"}}},
		{"a notification", `{"method":"notifications/initialized"}`,
			[]Message{{Method: "notifications/initialized"}}},
		{"a tool call without an id", `{"method":"tools/call","params":{"name":"x"}}`,
			[]Message{{Method: "tools/call", Name: "x"}}},
		{"a response", `{"jsonrpc":"2.0","id":3,"result":{"method":"tools/call"}}`,
			[]Message{{ID: json.RawMessage("3")}}},
		{"an error response", `{"id":3,"error":{"code":-1,"message":"no"}}`,
			[]Message{{ID: json.RawMessage("3")}}},
		{"a null id", `{"id":null,"method":"ping"}`,
			[]Message{{Method: "ping", ID: json.RawMessage("null")}}},
		{"escapes", `{"m\u0065thod":"tools\/call","params":{"n\u0061me":"\u0067et"}}`,
			[]Message{{Method: "tools/call", Name: "get"}}},
		{"white space", " \r\n\t{ \"method\" : \"ping\" , \"id\" : 1.5e3 } \n",
			[]Message{{Method: "ping", ID: json.RawMessage("1.5e3")}}},
		{"brackets inside strings", `{"method":"tools/call","params":{"arguments":{"s":"}]\"{["},"name":"x"}}`,
			[]Message{{Method: "tools/call", Name: "x"}}},
		{"our keys deeper down, in any case and twice", `{"method":"tools/call","params":{"name":"x","arguments":{"Name":1,"name":2,"name":3,"METHOD":4}}}`,
			[]Message{{Method: "tools/call", Name: "x"}}},
		{"a key of another method's in another case", `{"method":"vendor/thing","params":{"Name":"x"}}`,
			[]Message{{Method: "vendor/thing"}}},
		{"positional params where no name is needed", `{"method":"ping","params":[1,2]}`,
			[]Message{{Method: "ping"}}},
		{"a huge number", `{"method":"ping","params":{"n":1e999999}}`,
			[]Message{{Method: "ping"}}},
		{"a batch", `[{"method":"ping","id":1}, {"id":2,"result":null} ,{"method":"tools/call","params":{"name":"x"}}]`,
			[]Message{{Method: "ping", ID: json.RawMessage("1")}, {ID: json.RawMessage("2")}, {Method: "tools/call", Name: "x"}}},
		{"empty containers", `{"method":"tools/list","params":{},"id":"","x":[],"y":{}}`,
			[]Message{{Method: "tools/list", ID: json.RawMessage(`""`)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := Parse([]byte(tt.body), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, body.Messages, cmpopts.IgnoreUnexported(Message{})); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if want := strings.HasPrefix(tt.body, "["); body.Batch != want {
				t.Errorf("Batch = %t, want %t", body.Batch, want)
			}
		})
	}
}

func TestParseRefusesWhatParsersReadDifferently(t *testing.T) {
	nested := func(n int) string {
		return `{"method":"ping","params":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	tests := []struct {
		name string
		body string
		code Code
	}{
		{"nothing", "", ParseError},
		{"white space only", " \n", ParseError},
		{"no JSON", "tools/call", ParseError},
		{"a byte order mark", "\ufeff{\"method\":\"ping\"}", ParseError},
		{"invalid UTF-8", "{\"method\":\"ping\xff\"}", ParseError},
		{"data behind the value", `{"method":"ping"}{"method":"tools/call"}`, ParseError},
		{"a comma too many", `{"method":"ping",}`, ParseError},
		{"a comment", `{"method":"ping"/*,"method":"x"*/}`, ParseError},
		{"single quotes", `{'method':'ping'}`, ParseError},
		{"NaN", `{"method":"ping","id":NaN}`, ParseError},
		{"a raw newline in a string", "{\"method\":\"pi\nng\"}", ParseError},
		{"deep nesting", nested(DefaultDepth), ParseError},
		{"very deep nesting", nested(100_000), ParseError},
		{"unclosed nesting", strings.Repeat("[", 50), ParseError},
		{"UTF-16", "{\x00}\x00", ParseError},

		{"a string", `"tools/call"`, InvalidRequest},
		{"null", `null`, InvalidRequest},
		{"an empty object", `{}`, InvalidRequest},
		{"an empty batch", `[]`, InvalidRequest},
		{"a batch in a batch", `[[{"method":"ping"}]]`, InvalidRequest},
		{"a batch with a number", `[{"method":"ping"},1]`, InvalidRequest},
		{"a batch past the bound", "[" + strings.Repeat(`{"method":"ping"},`, MaxBatch) + `{"method":"ping"}]`, InvalidRequest},
		{"method twice", `{"method":"ping","method":"tools/call"}`, InvalidRequest},
		{"method twice, once escaped", `{"method":"ping","m\u0065thod":"tools/call"}`, InvalidRequest},
		{"params twice", `{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`, InvalidRequest},
		{"any key twice", `{"method":"ping","x":1,"x":1}`, InvalidRequest},
		{"Method beside method", `{"method":"ping","Method":"tools/call"}`, InvalidRequest},
		{"METHOD alone", `{"METHOD":"tools/call","id":1,"result":1}`, InvalidRequest},
		{"Params", `{"method":"tools/call","Params":{"name":"b"},"params":{"name":"a"}}`, InvalidRequest},
		{"a Kelvin sign and a long s", `{"method":"ping","param\u017f":{}}`, InvalidRequest},
		{"a number for a method", `{"method":1}`, InvalidRequest},
		{"null for a method", `{"method":null,"id":1,"result":{}}`, InvalidRequest},
		{"an empty method", `{"method":""}`, InvalidRequest},
		{"a method with a control character", `{"method":"ping\u0000"}`, InvalidRequest},
		{"a method with half a surrogate", `{"method":"ping\ud800"}`, InvalidRequest},
		{"a long method", `{"method":"` + strings.Repeat("x", maxMethod+1) + `"}`, InvalidRequest},
		{"a request that is a response", `{"method":"ping","id":1,"result":{}}`, InvalidRequest},
		{"an object for an id", `{"method":"ping","id":{}}`, InvalidRequest},
		{"true for an id", `{"method":"ping","id":true}`, InvalidRequest},
		{"too many members", `{"method":"ping"` + strings.Join(numbered(maxMembers), "") + `}`, InvalidRequest},

		{"positional params", `{"method":"tools/call","params":["get_task"]}`, InvalidParams},
		{"an array for a name", `{"method":"tools/call","params":{"name":["a"]}}`, InvalidParams},
		{"name twice", `{"method":"tools/call","params":{"name":"a","name":"b"}}`, InvalidParams},
		{"Name beside name", `{"method":"tools/call","params":{"name":"a","Name":"b"}}`, InvalidParams},
		{"URI beside uri", `{"method":"resources/read","params":{"uri":"a","URI":"b"}}`, InvalidParams},
		{"TaskID beside taskId", `{"method":"tasks/get","params":{"taskId":"a","taskID":"b"}}`, InvalidParams},
		{"a name with a null character", `{"method":"tools/call","params":{"name":"get_task\u0000"}}`, InvalidParams},
		{"a name with half a surrogate", `{"method":"tools/call","params":{"name":"get_\udfff"}}`, InvalidParams},
		{"a long name", `{"method":"tools/call","params":{"name":"` + strings.Repeat("x", maxName+1) + `"}}`, InvalidParams},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, err := Parse([]byte(tt.body), 0)
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("Parse = %+v, %v; want a refusal", body, err)
			}
			if refused.Code != tt.code {
				t.Errorf("code %d (%s), want %d", refused.Code, refused, tt.code)
			}
		})
	}
}

func numbered(n int) []string {
	members := make([]string, n)
	for i := range members {
		members[i] = `,"` + strings.Repeat("k", i+1) + `":1`
	}
	return members
}

func TestRefusalNamesTheMessageItRefuses(t *testing.T) {
	_, err := Parse([]byte(`{"id":"seven","method":"tools/call","params":{"name":7}}`), 0)
	got, marshalErr := json.Marshal(err)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	want := `{"jsonrpc":"2.0","id":"seven","error":{"code":-32602,"message":"params.name is not a string"}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

func TestReadIsBounded(t *testing.T) {
	body := `{"method":"ping"}`
	for name, size := range map[string]int64{"declared": int64(len(body)), "undeclared": -1, "declared too small": 1} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(body), size, Limits{Bytes: int64(len(body))}, &bytes.Buffer{}); err != nil {
				t.Errorf("a body of exactly the limit: %v", err)
			}
			if _, err := Read(strings.NewReader(body+" "), size, Limits{Bytes: int64(len(body))}, &bytes.Buffer{}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("one byte more: %v, want ErrTooLarge", err)
			}
		})
	}
}

func TestReadRefusesADeclaredExcessUnread(t *testing.T) {
	untouched := iotest.ErrReader(errors.New("the body was read"))
	if _, err := Read(untouched, 101, Limits{Bytes: 100}, &bytes.Buffer{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read: %v, want ErrTooLarge", err)
	}
}

func TestReadPassesOnWhatTheReaderFailedWith(t *testing.T) {
	broken := errors.New("connection reset")
	if _, err := Read(iotest.ErrReader(broken), -1, Limits{Bytes: 100}, &bytes.Buffer{}); !errors.Is(err, broken) {
		t.Errorf("Read: %v, want the reader's error", err)
	}
}

func TestNameHeaderMirrorsWhatTheMethodActsOn(t *testing.T) {
	tests := []struct {
		name    string
		message Message
		header  string
		want    bool
	}{
		{"a tool", Message{Method: "tools/call", Name: "a", URI: "b"}, "a", true},
		{"a tool's other param", Message{Method: "tools/call", Name: "a", URI: "b"}, "b", false},
		{"a resource", Message{Method: "resources/read", Name: "a", URI: "b"}, "b", true},
		{"a task", Message{Method: "tasks/cancel", TaskID: "c"}, "c", true},
		{"a method that acts on nothing", Message{Method: "tools/list"}, "a", false},
		{"an extension's method", Message{Method: "vendor/run", Name: "a"}, "a", true},
		{"an extension's method, otherwise", Message{Method: "vendor/run", Name: "a"}, "b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.message.MayBeCalled(tt.header); got != tt.want {
				t.Errorf("MayBeCalled(%q) = %t, want %t", tt.header, got, tt.want)
			}
		})
	}
}

// What the MCP server would say about it is for it to say; the policy decides about no
// name.
func TestAMessageThatLacksItsTargetHasNone(t *testing.T) {
	for _, body := range []string{
		`{"method":"tools/call","params":{}}`, `{"method":"tools/call"}`, `{"method":"tools/call","params":{"name":""}}`,
		`{"method":"resources/read","params":{"name":"a"}}`, `{"method":"prompts/get","params":{"uri":"a"}}`,
	} {
		read, err := Parse([]byte(body), 0)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		} else if target := read.Messages[0].Target(); target != "" {
			t.Errorf("%s: the target is %q", body, target)
		}
	}
	for _, body := range []string{`{"method":"tools/call","params":["a"]}`, `{"method":"tools/call","params":"a"}`, `{"method":"tools/call","params":null}`} {
		if _, err := Parse([]byte(body), 0); err == nil {
			t.Errorf("%s was taken", body)
		}
	}
}
