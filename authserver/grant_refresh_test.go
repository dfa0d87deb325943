package authserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

func TestRefreshingRotatesTheTokenAndKeepsTheGrant(t *testing.T) {
	server := authservertest.New(t)
	app, first := signedIn(t, server)
	status, second := server.Token(t, authservertest.Refresh(app, text(first, "refresh_token")))
	wantStatus(t, status, http.StatusOK, second)
	if second["refresh_token"] == first["refresh_token"] || text(second, "refresh_token") == "" {
		t.Error("the refresh token was not rotated")
	}
	before, after := verify(t, server, first), verify(t, server, second)
	if before.GrantID != after.GrantID || before.ID == after.ID || !after.Scope.Equal(before.Scope) {
		t.Errorf("claims: before %+v, after %+v", before, after)
	}
	status, third := server.Token(t, authservertest.Refresh(app, text(second, "refresh_token")))
	wantStatus(t, status, http.StatusOK, third)
}

func TestInsideTheGraceWindowARefreshTokenGivesTheSameSuccessor(t *testing.T) {
	server := authservertest.New(t)
	app, first := signedIn(t, server)
	status, one := server.Token(t, authservertest.Refresh(app, text(first, "refresh_token")))
	wantStatus(t, status, http.StatusOK, one)
	server.Advance(20 * time.Second)
	status, other := server.Token(t, authservertest.Refresh(app, text(first, "refresh_token")))
	wantStatus(t, status, http.StatusOK, other)
	if one["refresh_token"] != other["refresh_token"] {
		t.Error("two processes that share a token got different successors")
	}
	if got := server.Store.Writes().Rotations; got != 1 {
		t.Errorf("rotations: got %d, want 1", got)
	}
}

func TestOutsideTheGraceWindowAReusedRefreshTokenEndsTheFamily(t *testing.T) {
	server := authservertest.New(t)
	app, first := signedIn(t, server)
	status, second := server.Token(t, authservertest.Refresh(app, text(first, "refresh_token")))
	wantStatus(t, status, http.StatusOK, second)
	server.Advance(31 * time.Second)
	for _, tokens := range []map[string]any{first, second} {
		status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	}
	if events := server.Events.Of("grant.revoked"); len(events) != 1 || events[0].Fields["reason"] != "reuse" {
		t.Errorf("audit events: got %v, want one revocation for reuse", events)
	}
}

func TestRefreshTokensDieOfIdlenessAndOfAge(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps []time.Duration
		want  int
	}{
		{"used in time", []time.Duration{23 * time.Hour, 23 * time.Hour}, http.StatusOK},
		{"idle for a day", []time.Duration{23 * time.Hour, 25 * time.Hour}, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			app, tokens := signedIn(t, server)
			status := 0
			for _, step := range test.steps {
				server.Advance(step)
				var next map[string]any
				if status, next = server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token"))); status == http.StatusOK {
					tokens = next
				}
			}
			if status != test.want {
				t.Errorf("status: got %d, want %d", status, test.want)
			}
		})
	}
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	for day := range 30 {
		server.Advance(23*time.Hour + 50*time.Minute)
		status, next := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
		wantStatus(t, status, http.StatusOK, map[string]any{"day": day, "answer": next})
		tokens = next
	}
	server.Advance(6 * time.Hour)
	status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
}

func TestARefreshNarrowsOneTokenAndNotTheGrant(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	for _, step := range []struct{ request, want string }{
		{"todo:read", "todo:read"},
		{"openid", "todo:read todo:write"},
		{"", "todo:read todo:write"},
	} {
		form := authservertest.Refresh(app, text(tokens, "refresh_token"))
		form.Set("scope", step.request)
		status, next := server.Token(t, form)
		wantStatus(t, status, http.StatusOK, next)
		if next["scope"] != step.want {
			t.Errorf("scope %q: got %q, want %q", step.request, next["scope"], step.want)
		}
		tokens = next
	}
}

func TestARefreshAsksTodaysCatalog(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*catalog.Content)
		scope  string
		code   oauth.ErrorCode
	}{
		{"the same", func(*catalog.Content) {}, "todo:read todo:write", ""},
		{"a scope is gone", func(c *catalog.Content) { c.Resources[0].Scopes = c.Resources[0].Scopes[:1] }, "todo:read", ""},
		{"a scope is for others now", func(c *catalog.Content) { c.Resources[0].Scopes[1].Groups = []string{"admins"} }, "todo:read", ""},
		{"every scope is for others now", func(c *catalog.Content) {
			for _, scope := range c.Resources[0].Scopes {
				scope.Groups = []string{"admins"}
			}
		}, "", oauth.InvalidGrant},
		{"the user left the group", func(c *catalog.Content) {
			staffOnly(c)
			c.Providers[0].Static.Users[0].Groups = nil
		}, "todo:read", ""},
		{"the user is gone", func(c *catalog.Content) { c.Providers[0].Static.Users = c.Providers[0].Static.Users[1:] }, "", oauth.InvalidGrant},
		{"the user's domain is not allowed", func(c *catalog.Content) {
			c.Providers[0].AllowedEmailDomains = []string{"elsewhere.example"}
		}, "", oauth.InvalidGrant},
		{"the provider is gone", func(c *catalog.Content) { c.Providers[0].Name = "others" }, "", oauth.InvalidGrant},
		{"the resource is gone", func(c *catalog.Content) { c.Resources[0].ID = "apps-other" }, "", oauth.InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := authservertest.New(t)
			app, tokens := signedIn(t, server)
			before := server.Store.Writes()
			server.Swap(test.change)
			status, got := server.Token(t, authservertest.Refresh(app, text(tokens, "refresh_token")))
			if test.code == "" {
				wantStatus(t, status, http.StatusOK, got)
				if got["scope"] != test.scope {
					t.Errorf("scope: got %q, want %q", got["scope"], test.scope)
				}
				return
			}
			if got["error"] != string(test.code) || status/100 != 4 {
				t.Errorf("got %d %v, want %s", status, got, test.code)
			}
			wantUnchanged(t, server, before)
		})
	}
}

func TestAClientWithoutTheGrantTypeGetsNoRefreshToken(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, map[string]any{"grant_types": []string{"authorization_code"}})
	status, tokens := server.Redeem(t, app, server.SignIn(t, server.Begin(app, nil)))
	wantStatus(t, status, http.StatusOK, tokens)
	if tokens["refresh_token"] != nil {
		t.Error("there is a refresh token")
	}
}

func TestARefreshTokenIsReadAsAWholeOrNotAtAll(t *testing.T) {
	server := authservertest.New(t)
	app, tokens := signedIn(t, server)
	good := text(tokens, "refresh_token")
	parts := strings.SplitN(strings.TrimPrefix(good, "mcprt_"), ".", 3)
	before := server.Store.Writes()
	for _, bad := range []string{
		"mcprt_", "x", strings.TrimPrefix(good, "mcprt_"), good + "x", good[:len(good)-1], "mcprt_" + parts[0] + ".1",
		"mcprt_" + parts[0] + ".2." + parts[2], "mcprt_" + parts[0] + ".01." + parts[2], "mcprt_other.1." + parts[2],
		"mcprt_" + parts[0] + ".99999999999999999999." + parts[2], "mcprt_" + strings.Repeat("a", 5000),
	} {
		status, got := server.Token(t, authservertest.Refresh(app, bad))
		wantError(t, status, got, http.StatusBadRequest, oauth.InvalidGrant)
	}
	wantUnchanged(t, server, before)
	status, got := server.Token(t, authservertest.Refresh(app, good))
	wantStatus(t, status, http.StatusOK, got)
}

func TestARefreshNamesTheSameResourceOrNone(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(secondResource))
	app, tokens := signedIn(t, server)
	form := authservertest.Refresh(app, text(tokens, "refresh_token"))
	form["resource"] = []string{authservertest.ResourceURL}
	status, got := server.Token(t, form)
	wantStatus(t, status, http.StatusOK, got)
	form = authservertest.Refresh(app, text(got, "refresh_token"))
	form["resource"] = []string{mailURL}
	status, got = server.Token(t, form)
	wantError(t, status, got, http.StatusBadRequest, oauth.InvalidTarget)
}
