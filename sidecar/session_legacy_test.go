package sidecar

import (
	"testing"

	"github.com/mcpauth/mcpauth/policy"
)

// A server reads one parameter out of the query and does not care how it was written, nor
// what else is there.
func TestAnotherSpellingOfALegacyAddressIsTheSameSession(t *testing.T) {
	for _, address := range []string{
		"/messages?x=1&sessionId=id-1",
		"/messages?sessionId=id-1&x=1",
		"/messages?sessionId=id-1&",
		"/messages?&sessionId=id-1",
		"/messages?sessionId=%69d-1",
		"/messages?session%49d=id-1",
	} {
		t.Run(address, func(t *testing.T) {
			b := legacy(t)
			if own := legacyStream(t, b, token(t, "todo:read")); own != "/messages?sessionId=id-1" {
				t.Fatalf("the stream's address is %s", own)
			}
			got := b.post(t, token(t, "todo:read", subject("mallory")), call("get_task"), at(address))
			if got.StatusCode < 400 || b.arrived() != 1 {
				t.Errorf("mallory posts into alice's stream: %s", got.Status)
			}
		})
	}
}

// Servers of HTTP with SSE do not look at the header; what they look at is the query.
func TestASessionHeaderDoesNotHideTheSessionInALegacyAddress(t *testing.T) {
	b := legacy(t)
	own := legacyStream(t, b, token(t, "todo:read"))
	got := b.post(t, token(t, "todo:read", subject("mallory")), call("get_task"), at(own), within("of-mallory"))
	if got.StatusCode < 400 || b.arrived() != 1 {
		t.Errorf("mallory posts into alice's stream: %s", got.Status)
	}
}

// Where the resource lies at the root, or its path is mapped to the root, the messages'
// path can be had by way of the resource's as well. Express does not tell /messages from
// /messages/.
func TestTheLegacyPathByAnotherWayIsTheSamePath(t *testing.T) {
	atRoot := func(p *policy.Policy) { p.Upstream.URL = p.Upstream.URL[:len(p.Upstream.URL)-len("/mcp")] }
	for name, path := range map[string]string{
		"below the resource":                "/public/mcp/messages",
		"below the resource with a slash":   "/public/mcp/messages/",
		"below the resource in another way": "/public/mcp/Messages",
	} {
		t.Run(name, func(t *testing.T) {
			b := legacy(t, atRoot)
			legacyStream(t, b, token(t, "todo:read"))
			got := b.post(t, token(t, "todo:read", subject("mallory")), call("get_task"), at(path+"?sessionId=id-1"))
			if got.StatusCode < 400 || b.arrived() != 1 {
				r, _ := b.last(t)
				t.Errorf("mallory posts into alice's stream: %s, as %s", got.Status, r.RequestURI)
			}
		})
	}
}
