package sidecar

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/policy"
)

func encodeJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMetadataIsAtThePathInsertedAddress(t *testing.T) {
	b := protect(t)
	got := b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, "")
	wantStatus(t, got, http.StatusOK)
	want := `{"resource":"https://mcp.example.com/public/mcp",` +
		`"authorization_servers":["https://auth.example.com/resources/apps-todo"],` +
		`"scopes_supported":["todo:read","todo:write","todo:admin"],` +
		`"bearer_methods_supported":["header"],"resource_name":"Task list"}` + "\n"
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers: %v", got.Header)
	}
	b.untouched(t)
}

func TestMetadataOfARootResourceIsAtTheRoot(t *testing.T) {
	for _, resource := range []string{"https://mcp.example.com", "https://mcp.example.com/"} {
		b := protect(t, func(p *policy.Policy) { p.Resource = resource })
		got := b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource", "")
		wantStatus(t, got, http.StatusOK)
		if want := `"resource":"` + resource + `"`; !strings.Contains(got.body, want) {
			t.Errorf("the document does not say %s, byte for byte: %s", want, got.body)
		}
	}
}

func TestMetadataOfAResourceThatEndsInASlashIsAtBothSpellings(t *testing.T) {
	b := protect(t, func(p *policy.Policy) { p.Resource = testResource + "/" })
	for _, path := range []string{testPath, testPath + "/"} {
		wantStatus(t, b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+path, ""), http.StatusOK)
	}
}

func TestOfflineAccessIsNeverAdvertised(t *testing.T) {
	b := protect(t, func(p *policy.Policy) {
		p.Scopes = append(p.Scopes, policy.Scope{Name: "offline_access", Default: true})
	})
	document := b.do(t, http.MethodGet, "/.well-known/oauth-protected-resource"+testPath, "")
	if strings.Contains(document.body, "offline_access") {
		t.Errorf("metadata: %s", document.body)
	}
	if first := b.post(t, "", call("list_tasks")); strings.Contains(first.challenge(), "offline_access") {
		t.Errorf("challenge: %s", first.challenge())
	}
}

func TestOtherWellKnownPathsAreJSON404(t *testing.T) {
	b := protect(t)
	for _, path := range []string{
		"/.well-known/oauth-protected-resource", // the resource is not the root
		"/.well-known/oauth-protected-resource/",
		"/.well-known/oauth-protected-resource/public/mcp/",
		"/.well-known/oauth-protected-resource/other",
		"/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration",
		"/.well-known/",
		"/.well-known",
		testPath + "/.well-known/openid-configuration",
		"/",
	} {
		t.Run(path, func(t *testing.T) {
			got := b.do(t, http.MethodGet, path, token(t, "todo:read"))
			wantStatus(t, got, http.StatusNotFound)
			if !json.Valid([]byte(got.body)) || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("the answer is not JSON: %s", got.body)
			}
		})
	}
	b.untouched(t)
}

func TestMetadataIsReadOnly(t *testing.T) {
	b := protect(t)
	path := "/.well-known/oauth-protected-resource" + testPath
	wantStatus(t, b.do(t, http.MethodPost, path, ""), http.StatusMethodNotAllowed)
	preflight := b.do(t, http.MethodOptions, path, "", header("Origin", "https://anywhere.example"))
	wantStatus(t, preflight, http.StatusNoContent)
	if preflight.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight of the metadata: %v", preflight.Header)
	}
	head := b.do(t, http.MethodHead, path, "")
	wantStatus(t, head, http.StatusOK)
	if head.body != "" {
		t.Errorf("HEAD has a body: %s", head.body)
	}
}
