package sidecar

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/eventstream"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// maxList is the longest answer to a list that is looked at, and maxEvent the longest event
// of a stream on which a list may come, in bytes. There may be many streams, and longer
// events pass unread.
const (
	maxList  = eventstream.DefaultLimit
	maxEvent = 1 << 20
)

// headerRevision states the revision of MCP that a request follows.
const headerRevision = "Mcp-Protocol-Version"

// privateLists is the revision whose lists say who may keep them.
const privateLists = "2026-07-28"

// operations are the methods by which the entries of lists are used.
var operations = map[jsonrpc.List]string{
	jsonrpc.Tools:     policy.CallTool,
	jsonrpc.Prompts:   policy.GetPrompt,
	jsonrpc.Resources: policy.ReadResource,
}

// inspection is what is looked for in the answer to a request. Most requests have none,
// and their answers pass unread.
type inspection struct {
	cut *jsonrpc.Cut
	// certain says that a list is expected, so that an answer which cannot be looked at
	// does not pass.
	certain bool
	// endpoint is told of the address that an event stream names for posting.
	endpoint func(address string)
}

// inspect says how the answer is to be looked at, nil for not at all. Lists answer the
// POST that asks for them, or come on a stream: the one of HTTP with SSE, or one that
// goes on where an earlier one broke off.
func (x *exchange) inspect() *inspection {
	p := x.site.policy
	filters := p.FilterLists && p.Constrained()
	if x.body != nil {
		if !filters {
			return nil
		}
		of := listsOf(x.body)
		if of == nil {
			return nil
		}
		private := x.r.Header.Get(headerRevision) >= privateLists
		return &inspection{certain: true, cut: &jsonrpc.Cut{Keep: x.mayUse, Of: of, Private: private}}
	}
	if x.r.Method != http.MethodGet || !filters && p.Upstream.MessagePath == "" {
		return nil
	}
	in := &inspection{}
	if filters {
		in.cut = &jsonrpc.Cut{Keep: x.mayUse}
	}
	if p.Upstream.MessagePath != "" {
		in.endpoint = x.noteEndpoint
	}
	return in
}

func (x *exchange) mayUse(list jsonrpc.List, name string) bool {
	op := policy.Operation{Method: operations[list], Name: name}
	return x.site.policy.Decide(op, x.claims.Scope).Allowed
}

// listsOf says which list answers which message; nil where no list is asked for.
func listsOf(body *jsonrpc.Body) func(json.RawMessage) jsonrpc.List {
	if !body.Batch {
		list := jsonrpc.ListOf(body.Messages[0].Method)
		if list == "" {
			return nil
		}
		// Whatever has a result is the answer to the one message that there is.
		return func(json.RawMessage) jsonrpc.List { return list }
	}
	return listsByID(body.Messages)
}

// listsByID says which list answers which message of a batch; nil where none is asked for.
// Whoever asks chooses the ids, so that they count only where they tell the answers
// apart to everybody; otherwise every answer may be any list.
func listsByID(messages []jsonrpc.Message) func(json.RawMessage) jsonrpc.List {
	asked, lists, distinct := make(map[string]jsonrpc.List, len(messages)), 0, true
	for i := range messages {
		list, id := jsonrpc.ListOf(messages[i].Method), string(messages[i].ID)
		if list != "" {
			lists++
		}
		if messages[i].ID == nil && list == "" {
			continue // a notification has no answer
		}
		_, twice := asked[id]
		distinct = distinct && !twice && plainID(id)
		asked[id] = list
	}
	if lists == 0 {
		return nil
	}
	return func(id json.RawMessage) jsonrpc.List {
		if list, known := asked[string(id)]; known && distinct {
			return list
		}
		return jsonrpc.Any
	}
}

// plainID reports whether an id reads the same in every parser and is written in one way:
// a number without sign, fraction or exponent that a float64 holds, or a short text
// without escapes.
func plainID(id string) bool {
	if text, ok := strings.CutPrefix(id, `"`); ok {
		return len(text) <= 128 && !strings.Contains(text, `\`)
	}
	return len(id) <= 15 && strings.Trim(id, "0123456789") == ""
}

// noteEndpoint remembers whose the session is that a stream has begun (MCP 2024-11-05).
func (x *exchange) noteEndpoint(address string) {
	if u, err := url.Parse(address); err == nil && u.RawQuery != "" && len(u.RawQuery) < maxSessionID {
		x.session = endpointSession(u.RawQuery)
		x.sessions.bind(x.session, x.claims)
		x.endpoint = true
	}
}

// edit is what an event stream's events become.
func (in *inspection) edit(event string, data []byte) ([]byte, error) {
	if event == "endpoint" && in.endpoint != nil {
		in.endpoint(string(data))
		return data, nil
	}
	if in.cut == nil || len(bytes.TrimSpace(data)) == 0 || !in.certain && !mayHoldResult(data) {
		return data, nil // events without data prime a stream (MCP 2025-11-25)
	}
	edited, err := in.cut.Apply(data)
	if err != nil && (!in.certain || !resemblesList(data)) {
		return data, nil // it is no message, so no list either
	}
	return edited, err
}

// resemblesList reports whether a parser that is more lenient than ours may read a list in
// what is no JSON.
func resemblesList(data []byte) bool {
	for list := range operations {
		if bytes.Contains(data, []byte(list)) {
			return true
		}
	}
	return bytes.Contains(data, []byte(`\u`))
}

// mayHoldResult is quick, since most of what comes on streams are notifications.
func mayHoldResult(data []byte) bool {
	return bytes.Contains(data, []byte(`"result"`)) || bytes.Contains(data, []byte(`\u`))
}
