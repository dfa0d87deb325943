package transparency_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

const (
	resource = "https://mcp.example.com/mcp"
	issuer   = "https://auth.example.com/resources/apps-everything"
	// scopeAll is what the caller's token holds.
	scopeAll = "all"
)

// openings are the two ways in which a policy lets a caller do everything. Each
// has to be transparent.
var openings = []struct {
	name string
	open func(*policy.Policy)
}{
	{"no scope names an operation", func(p *policy.Policy) {
		p.Scopes = []policy.Scope{{Name: scopeAll, Default: true}}
	}},
	{"a scope opens everything and lists are filtered", func(p *policy.Policy) {
		every := []string{"*"}
		p.Scopes = []policy.Scope{{Name: scopeAll, Default: true, Tools: every, Prompts: every, Resources: every, Methods: every}}
		p.FilterLists = true
	}},
}

// ring signs all tokens.
var ring = sync.OnceValues(func() (*keyring.Ring, error) { return keyring.New(keyring.ES256, time.Now()) })

func keys(t *testing.T) *keyring.Ring {
	t.Helper()
	r, err := ring()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// token is what the caller sends.
func token(t *testing.T) string {
	t.Helper()
	now := time.Now()
	text, err := accesstoken.Sign(&accesstoken.Claims{
		Issuer: issuer, Subject: "alice", Audience: []string{resource}, ClientID: "agent",
		Scope: oauth.NewScopeSet(scopeAll), IssuedAt: now, Expiry: now.Add(time.Hour), ID: "one",
	}, keys(t).Active())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// protect runs the sidecar's program in front of an MCP server until the test ends,
// and returns the address where it listens.
func protect(t *testing.T, upstream string, change ...func(*policy.Policy)) string {
	t.Helper()
	jwks, err := json.Marshal(keys(t).JWKS())
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{
		Version: policy.Version, Server: "apps/everything", Resource: resource,
		Issuers: []string{issuer}, Audiences: []string{resource}, JWKS: jwks,
		Upstream: policy.Upstream{URL: upstream},
	}
	for _, c := range change {
		c(p)
	}
	data, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), policy.FileName)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return listening{
		path: program(t, sidecarProgram), addresses: 2,
		arguments: func(free []string) []string {
			return []string{"--policy", file, "--listen", free[0], "--health-listen", free[1]}
		},
		ready: func(free []string) bool { return ready("http://" + free[1] + "/readyz") },
	}.start(t)[0]
}

func ready(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
