//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// lifetime is that of a token: longer than the run.
const lifetime = time.Hour

// claims are those of a user's token as the authorization server writes them, for a
// user and a grant of its own.
func claims(n int, now time.Time) *accesstoken.Claims {
	return &accesstoken.Claims{
		Issuer: issuer, Subject: fmt.Sprintf("people|user-%d", n), Audience: []string{resource},
		ClientID: "https://agent.example.com/client.json", Scope: oauth.NewScopeSet("todo:read", "todo:write"),
		IssuedAt: now, Expiry: now.Add(lifetime), AuthTime: now,
		ID: credential.Random(16), GrantID: credential.Random(16),
		Email: fmt.Sprintf("user-%d@example.com", n), Organization: "Example Ltd",
	}
}

// sign makes n tokens on all cores.
func sign(ring *keyring.Ring, n int) ([]string, error) {
	now := time.Now()
	tokens := make([]string, n)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var group sync.WaitGroup
	for worker := range errs {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && errs[worker] == nil; i = next.Add(1) - 1 {
				tokens[i], errs[worker] = accesstoken.Sign(claims(int(i), now), ring.Active())
			}
		})
	}
	group.Wait()
	return tokens, errors.Join(errs...)
}
