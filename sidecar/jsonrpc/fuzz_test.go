package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// FuzzParse compares our reading with that of encoding/json, which ignores case
// and lets the last of two keys win, and with the MCP SDK's, which minds case:
// of what we accept, all three must see the same method and the same target.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_task","arguments":{"a":[1,{}]}}}`,
		`{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"file:///x"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`,
		`[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}]`,
		`{"method":"ping","m\u0065thod":"tools/call"}`,
		`{"Method":"tools/call","method":"ping"}`,
		`{"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}`,
		`{"method":"tools/call","params":{"name":"\ud800"}}`,
		`{"method":"prompts/get","params":{"name":"a\\\"b"}} `,
		"\xff", "[[[[", `{"a":"\`, `{"method":"tools/call","param\u017f":{"name":"x"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := Parse(data, 0)
		if err != nil {
			if refused := (*Error)(nil); !errors.As(err, &refused) {
				t.Fatalf("Parse failed with %T, want *Error", err)
			}
			if response, err := json.Marshal(err); err != nil || !json.Valid(response) {
				t.Fatalf("the refusal is not JSON: %s, %v", response, err)
			}
			return
		}
		raws := elements(t, data, body.Batch)
		if len(raws) != len(body.Messages) {
			t.Fatalf("we read %d messages, encoding/json %d", len(body.Messages), len(raws))
		}
		for i, raw := range raws {
			agreesWithStandardLibrary(t, &body.Messages[i], raw)
			agreesWithSDK(t, &body.Messages[i], raw)
		}
	})
}

func elements(t *testing.T, data []byte, batch bool) []json.RawMessage {
	if !batch {
		return []json.RawMessage{data}
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(data, &raws); err != nil {
		t.Fatalf("we accepted as a batch what encoding/json refuses: %v", err)
	}
	return raws
}

func agreesWithStandardLibrary(t *testing.T, got *Message, raw []byte) {
	var want struct {
		Method string          `json:"method"`
		ID     json.RawMessage `json:"id"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("we accepted what encoding/json refuses: %v", err)
	}
	if got.Method != want.Method {
		t.Errorf("method: we read %q, encoding/json %q", got.Method, want.Method)
	}
	if !bytes.Equal(got.ID, want.ID) {
		t.Errorf("id: we read %s, encoding/json %s", got.ID, want.ID)
	}
	if target := targetIn(want.Params, targetOf(want.Method)); got.Target() != target {
		t.Errorf("target of %s: we read %q, encoding/json %q", got.Method, got.Target(), target)
	}
}

func agreesWithSDK(t *testing.T, got *Message, raw []byte) {
	message, err := sdk.DecodeMessage(raw)
	if err != nil {
		return // it is stricter about the version, for one
	}
	request, ok := message.(*sdk.Request)
	if !ok {
		if got.Method != "" {
			t.Errorf("we read the request %q, the SDK a response", got.Method)
		}
		return
	}
	if got.Method != request.Method {
		t.Errorf("method: we read %q, the SDK %q", got.Method, request.Method)
	}
	if target := targetIn(request.Params, targetOf(request.Method)); got.Target() != target {
		t.Errorf("target of %s: we read %q, the SDK's params say %q", got.Method, got.Target(), target)
	}
}

// targetIn reads one of the three params as a Go server would.
func targetIn(params json.RawMessage, name string) string {
	var p struct {
		Name   any `json:"name"`
		URI    any `json:"uri"`
		TaskID any `json:"taskId"`
	}
	if json.Unmarshal(params, &p) != nil {
		return ""
	}
	value, _ := map[string]any{paramName: p.Name, paramURI: p.URI, paramTaskID: p.TaskID}[name].(string)
	return value
}
