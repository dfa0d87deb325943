package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcpauth/mcpauth/oauth"
)

func encodedPolicy(t *testing.T, p *Policy) []byte {
	t.Helper()
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAPolicyIsDecodedAsItWasEncoded(t *testing.T) {
	want := todo(t, func(p *Policy) {
		p.ResourceName, p.UnmatchedOperations, p.AllowedOrigins = "Tasks & <more>", Allow, []string{"https://app.example.com"}
		p.JWKS, p.RequireDPoP = json.RawMessage(`{"keys":[]}`), true
		p.RevocationsURL, p.FailClosedAfter = "https://auth.example.com/revocations", 600
		p.FilterLists, p.AuditArgumentNames, p.LogLevel = true, true, "debug"
		p.Upstream.MessagePath = "/messages/"
		p.Limits = Limits{
			User: Rate{PerSecond: 0.5, Burst: 3, Streams: 2}, Client: Rate{Streams: 9}, Tool: Rate{PerSecond: 1},
			MaxBodyBytes: 1 << 20, MaxHeaderBytes: 8 << 10, MaxDepth: 16,
		}
		p.Telemetry = Telemetry{Endpoint: "http://collector:4318", TracePercent: 10}
		p.Scopes[1].Includes, p.Scopes[1].Methods = []string{"todo:read"}, []string{"logging/*"}
	})
	data := encodedPolicy(t, want)
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	compactJWKS := cmp.Transformer("compact", func(m json.RawMessage) string {
		var b bytes.Buffer
		_ = json.Compact(&b, m)
		return b.String()
	})
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Policy{}), compactJWKS); diff != "" {
		t.Errorf("the policy (-want +got):\n%s", diff)
	}
	if again := encodedPolicy(t, got); !bytes.Equal(again, data) {
		t.Errorf("it is encoded differently the second time:\n%s", cmp.Diff(string(data), string(again)))
	}
	op, held := Operation{CallTool, "list_tasks"}, oauth.NewScopeSet("todo:read")
	if diff := cmp.Diff(want.Decide(op, held), got.Decide(op, held)); diff != "" {
		t.Errorf("it decides differently:\n%s", diff)
	}
}

func TestPoliciesThatWouldBeEnforcedInPartAreRefused(t *testing.T) {
	good := string(encodedPolicy(t, todo(t, nil)))
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the policy does not hold %s:\n%s", old, good)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, data := range map[string]string{
		"nothing":                  "",
		"null":                     "null",
		"an array":                 "[]",
		"an empty object":          "{}",
		"cut short":                good[:len(good)/2],
		"something behind it":      good + "x",
		"another policy behind it": good + good,
		"an unknown field":         replace(`"server":`, `"denyTools": ["*"], "server":`),
		"an unknown field deeper":  replace(`"name": "admin"`, `"name": "admin", "audience": "x"`),
		"a newer version":          replace(`"version": 1`, `"version": 2`),
		"no version":               replace(`"version": 1,`, ``),
		"no resource":              replace(`"https://mcp.example.com/todo"`, `""`),
		"no issuers":               replace(`"https://auth.example.com/resources/apps-todo"`, ``),
		"no keys":                  replace(`"https://auth.example.com/keys"`, `""`),
		"a word for unmatched":     replace(`"scopes"`, `"unmatchedOperations": "allow", "scopes"`),
		"a binding that is a word": replace(`"scopes"`, `"requireDPoP": "yes", "scopes"`),
		"a negative limit":         replace(`"scopes"`, `"limits": {"user": {"perSecond": -1}}, "scopes"`),
		"a negative size":          replace(`"scopes"`, `"limits": {"maxDepth": -1}, "scopes"`),
		"an unknown limit":         replace(`"scopes"`, `"limits": {"tenant": {"perSecond": 1}}, "scopes"`),
		"a level of no log":        replace(`"scopes"`, `"logLevel": "loud", "scopes"`),
		"silence without a feed":   replace(`"scopes"`, `"failClosedAfterSeconds": 60, "scopes"`),
		"a negative silence":       replace(`"scopes"`, `"failClosedAfterSeconds": -60, "revocationsURL": "https://x", "scopes"`),
		"a scope without a name":   replace(`"name": "admin"`, `"name": ""`),
		"a scope of two words":     replace(`"name": "admin"`, `"name": "todo:read admin"`),
		"tools that are no list": replace(`"tools": [
        "*"
      ]`, `"tools": "*"`),
	} {
		if p, err := Decode([]byte(data)); err == nil || p != nil {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
}

func TestAPolicyNeedsAnAudience(t *testing.T) {
	p := todo(t, nil)
	p.Audiences = nil
	if err := p.Prepare(); err == nil {
		t.Error("Prepare took a policy for which every token of the issuer is valid, or none")
	}
}

func TestKeysMayComeWithThePolicyAlone(t *testing.T) {
	todo(t, func(p *Policy) { p.JWKSURL, p.JWKS = "", json.RawMessage(`{"keys":[]}`) })
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"server":"a/b","resource":"https://h/","issuers":["i"],"audiences":["a"],"jwksURL":"u","upstream":{},"scopes":[{"name":"s","tools":["*"]}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"version":1,"version":2}`))
	f.Add([]byte(`null null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data)
		if err != nil {
			if p != nil {
				t.Error("a policy beside an error")
			}
			return
		}
		again, err := Decode(encodedPolicy(t, p))
		if err != nil {
			t.Fatalf("what was decoded does not survive its own encoding: %v", err)
		}
		for _, op := range []Operation{{CallTool, "x"}, {GetPrompt, "x"}, {Method: "tools/execute"}} {
			if diff := cmp.Diff(p.Decide(op, p.SupportedScopes()), again.Decide(op, p.SupportedScopes())); diff != "" {
				t.Errorf("%v is decided differently:\n%s", op, diff)
			}
		}
	})
}
