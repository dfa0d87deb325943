package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// List is what a response can list, by the member of its result.
type List string

// The lists that can be cut.
const (
	Tools     List = "tools"
	Prompts   List = "prompts"
	Resources List = "resources"
	// Any stands for each of them, where it is not known which one a response is.
	Any List = "*"
)

// ListOf is the list that answers a method; empty for other methods.
func ListOf(method string) List {
	switch method {
	case "tools/list":
		return Tools
	case "prompts/list":
		return Prompts
	case "resources/list":
		return Resources
	}
	return ""
}

// key is the member of an entry by which operations name it.
func (l List) key() string {
	if l == Resources {
		return paramURI
	}
	return paramName
}

// byteOrderMark is what some parsers take off and others stumble over.
var byteOrderMark = []byte("\ufeff")

// errNotJSON says that an answer cannot be cut because it cannot be read.
var errNotJSON = errors.New("the list is not JSON")

// Cut leaves entries out of the lists in responses, and nothing else: every other byte
// stays as it is. Its fields are set before the first use.
type Cut struct {
	// Of says which list the response with an id is, or Any; empty for one to leave alone.
	// A nil Of is Any for all.
	Of func(id json.RawMessage) List
	// Keep reports whether the caller may know of an entry. One without a name or URI is
	// left out.
	Keep func(list List, name string) bool
	// Private marks the cut lists as the caller's own, where they say nothing about it;
	// where they do it is always made so (MCP 2026-07-28, cacheScope).
	Private bool
}

// Apply returns the text of a message or a batch with its lists cut: data itself where
// there is nothing to cut. Text that is not JSON is an error.
func (c *Cut) Apply(data []byte) ([]byte, error) {
	if behind, marked := bytes.CutPrefix(data, byteOrderMark); marked {
		cut, err := c.Apply(behind)
		if err != nil || len(cut) == len(behind) && &cut[0] == &behind[0] {
			return data, err
		}
		return append(bytes.Clone(byteOrderMark), cut...), nil
	}
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	e := &edit{data: data}
	cur := &cursor{data: data}
	if cur.peek() != '[' {
		c.message(e, cur)
		return e.result(), nil
	}
	_ = cur.elements(func(raw []byte) error {
		c.message(e, &cursor{data: data[:cur.at], at: cur.at - len(raw)})
		return nil
	})
	return e.result(), nil
}

// message edits the message that comes next.
func (c *Cut) message(e *edit, cur *cursor) {
	if cur.peek() != '{' {
		return
	}
	var id json.RawMessage
	var results []*cursor
	_ = cur.members(func(key, raw []byte) error {
		switch string(key) {
		case "id":
			id = raw
		case "result":
			results = append(results, &cursor{data: cur.data[:cur.at], at: cur.at - len(raw)})
		}
		return nil
	})
	only := Any
	if c.Of != nil {
		if only = c.Of(id); only == "" {
			return
		}
	}
	for _, result := range results {
		c.result(e, result, only)
	}
}

// result edits a result's lists: those that it is said to be.
func (c *Cut) result(e *edit, cur *cursor, only List) {
	if cur.peek() != '{' {
		return
	}
	open := cur.at
	lists, scoped := 0, false
	type span struct{ from, to int }
	var scopes []span
	members := 0
	_ = cur.members(func(key, raw []byte) error {
		members++
		from := cur.at - len(raw)
		switch list := List(key); list {
		case Tools, Prompts, Resources:
			if (only == Any || only == list) && raw[0] == '[' {
				lists++
				c.entries(e, &cursor{data: cur.data[:cur.at], at: from}, list)
			}
		case "cacheScope":
			scoped = true
			scopes = append(scopes, span{from, cur.at})
		}
		return nil
	})
	switch {
	case lists == 0:
		return
	case scoped:
		for _, s := range scopes {
			e.replace(s.from, s.to, `"private"`)
		}
	case c.Private:
		mark := `"cacheScope":"private"`
		if members > 0 {
			mark += ","
		}
		e.replace(open+1, open+1, mark)
	}
}

// entries edits an array of entries.
func (c *Cut) entries(e *edit, cur *cursor, list List) {
	from := cur.at
	var kept [][]byte
	dropped := 0
	_ = cur.elements(func(raw []byte) error {
		if name, ok := nameIn(raw, list.key()); ok && c.Keep(list, name) {
			kept = append(kept, raw)
		} else {
			dropped++
		}
		return nil
	})
	if dropped > 0 {
		e.replace(from, cur.at, "["+string(bytes.Join(kept, []byte(",")))+"]")
	}
}

// nameIn reads the last member of a name, as most parsers do.
func nameIn(raw []byte, key string) (name string, ok bool) {
	if raw[0] != '{' {
		return "", false
	}
	cur := &cursor{data: raw}
	_ = cur.members(func(k, value []byte) error {
		if string(k) == key {
			name, ok = text(value)
		}
		return nil
	})
	return name, ok
}

// edit collects replacements in a text. They do not overlap.
type edit struct {
	data  []byte
	parts []part
}

type part struct {
	from, to int
	text     string
}

func (e *edit) replace(from, to int, text string) {
	e.parts = append(e.parts, part{from, to, text})
}

func (e *edit) result() []byte {
	if len(e.parts) == 0 {
		return e.data
	}
	slices.SortFunc(e.parts, func(a, b part) int { return a.from - b.from })
	out := make([]byte, 0, len(e.data)+64)
	last := 0
	for _, p := range e.parts {
		out = append(append(out, e.data[last:p.from]...), p.text...)
		last = p.to
	}
	return append(out, e.data[last:]...)
}
