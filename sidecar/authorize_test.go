package sidecar

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

func TestPolicyReadsTheBody(t *testing.T) {
	const (
		list     = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
		response = `{"jsonrpc":"2.0","id":9,"result":{"method":"tools/call","params":{"name":"purge"}}}`
		noID     = `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"purge"}}`
	)
	tests := []struct {
		name  string
		scope string
		body  string
		want  int
	}{
		{"a held scope opens the tool", "todo:read", call("get_task"), 200},
		{"another scope would", "todo:read", call("create_task"), 403},
		{"both are held", "todo:read todo:write", call("create_task"), 200},
		{"a list needs a token only", "", list, 200},
		{"a client's answer needs a token only", "", response, 200},
		{"a tool nobody names", "todo:read todo:write todo:admin", call("unheard_of"), 403},
		{"a method nobody names", "todo:read", `{"id":1,"method":"vendor/thing"}`, 403},
		{"a call in the shape of a notification", "todo:read", noID, 403},
		{"a resource", "todo:read", `{"id":1,"method":"resources/read","params":{"uri":"todo://1"}}`, 200},
		{"a foreign resource", "todo:read", `{"id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}`, 403},
		{"a prompt", "todo:read", `{"id":1,"method":"prompts/get","params":{"name":"x"}}`, 403},
		{"a batch of allowed messages", "todo:read", "[" + call("get_task") + "," + list + "," + response + "]", 200},
		{"a batch with one forbidden", "todo:read", "[" + call("get_task") + "," + call("purge") + "]", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			wantStatus(t, b.post(t, token(t, tt.scope), tt.body), tt.want)
			if tt.want != 200 {
				b.untouched(t)
				return
			}
			if _, body := b.last(t); body != tt.body {
				t.Errorf("the MCP server read\n%s\nwant\n%s", body, tt.body)
			}
		})
	}
}

func TestServerWithoutNamedOperationsIsOpenToAnyValidToken(t *testing.T) {
	b := protect(t, func(p *policy.Policy) { p.Scopes = nil })
	wantStatus(t, b.post(t, token(t, ""), call("anything")), 200)
	wantStatus(t, b.post(t, "", call("anything")), 401)
}

func TestUnmatchedOperationsCanBeAllowed(t *testing.T) {
	b := protect(t, func(p *policy.Policy) { p.UnmatchedOperations = policy.Allow })
	wantStatus(t, b.post(t, token(t, ""), call("unheard_of")), 200)
	wantStatus(t, b.post(t, token(t, ""), call("create_task")), 403)
}

func TestHeadersMustSayWhatTheBodySays(t *testing.T) {
	set := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Add(pairs[i], pairs[i+1])
			}
		}
	}
	tests := []struct {
		name   string
		body   string
		header func(*http.Request)
		want   int
	}{
		{"both equal", call("get_task"), set("Mcp-Method", "tools/call", "Mcp-Name", "get_task"), 200},
		{"neither sent", call("get_task"), set(), 200},
		{"the name wrapped in base64", call("get_task"), set("Mcp-Name", "=?base64?Z2V0X3Rhc2s=?="), 200},
		{"a name that is not ASCII", call("get_täsk"), set("Mcp-Name", "=?base64?Z2V0X3TDpHNr?="), 200},
		{"another method", call("get_task"), set("Mcp-Method", "tools/list"), 400},
		{"the method in another case", call("get_task"), set("Mcp-Method", "Tools/Call"), 400},
		{"another name", call("get_task"), set("Mcp-Name", "list_tasks"), 400},
		{"another name, wrapped", call("get_task"), set("Mcp-Name", "=?base64?eA==?="), 400},
		{"broken base64", call("get_task"), set("Mcp-Name", "=?base64?%%?="), 400},
		{"two methods, one of them right", call("get_task"), set("Mcp-Method", "tools/call", "Mcp-Method", "ping"), 400},
		{"a name for a method without", `{"id":1,"method":"tools/list"}`, set("Mcp-Name", "get_task"), 400},
		{"a batch that the header fits in part", "[" + call("get_task") + `,{"id":1,"method":"ping"}]`, set("Mcp-Method", "tools/call"), 400},
		{"a URI", `{"id":1,"method":"resources/read","params":{"uri":"todo://1"}}`, set("Mcp-Name", "todo://1"), 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			got := b.post(t, token(t, "todo:read"), tt.body, tt.header)
			wantStatus(t, got, tt.want)
			if tt.want == 400 {
				b.untouched(t)
				if !strings.Contains(got.body, "-32020") {
					t.Errorf("the answer is not a HeaderMismatch: %s", got.body)
				}
			}
		})
	}
}

func TestBodiesThatOthersMightDecodeDifferentlyAreRefused(t *testing.T) {
	tests := []struct {
		name        string
		contentType []string
		encoding    string
		want        int
	}{
		{"JSON", []string{"application/json"}, "", 200},
		{"JSON in UTF-8", []string{"application/json; charset=UTF-8"}, "", 200},
		{"JSON by another case", []string{"Application/JSON"}, "", 200},
		{"identity", []string{"application/json"}, "identity", 200},
		{"no type", nil, "", 415},
		{"two types", []string{"application/json", "text/plain"}, "", 415},
		{"text", []string{"text/plain"}, "", 415},
		{"a form", []string{"application/x-www-form-urlencoded"}, "", 415},
		{"UTF-16", []string{"application/json; charset=utf-16"}, "", 415},
		{"gzip", []string{"application/json"}, "gzip", 415},
		{"identity, then gzip", []string{"application/json"}, "identity, gzip", 415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := protect(t)
			got := b.post(t, token(t, "todo:read"), call("list_tasks"), func(r *http.Request) {
				r.Header["Content-Type"] = tt.contentType
				if tt.encoding != "" {
					r.Header.Set("Content-Encoding", tt.encoding)
				}
			})
			wantStatus(t, got, tt.want)
			if tt.want != 200 {
				b.untouched(t)
			}
		})
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	b := protect(t)
	for _, method := range []string{"PUT", "PATCH", "HEAD", "TRACE", "PROPFIND", "post"} {
		got := b.do(t, method, testPath, token(t, "todo:read"))
		if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") == "" {
			t.Errorf("%s: %s, Allow %q", method, got.Status, got.Header.Get("Allow"))
		}
	}
	plain := b.do(t, http.MethodOptions, testPath, "")
	wantStatus(t, plain, http.StatusNoContent)
	b.untouched(t)
}

func TestOnlyPostCarriesABody(t *testing.T) {
	b := protect(t)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		got := b.do(t, method, testPath, token(t, "todo:read"), func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(call("purge"))), -1
		})
		wantStatus(t, got, http.StatusBadRequest)
	}
	b.untouched(t)
}
