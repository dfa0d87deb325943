package authserver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
)

func TestACodeFlowGivesATokenForTheResource(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	answer := server.SignIn(t, server.Begin(app, nil))
	if answer.Get("state") != "client-state" || answer.Get("iss") != server.ResourceIssuer() {
		t.Fatalf("authorization response: got %v", answer)
	}
	status, tokens := server.Redeem(t, app, answer)
	if status != http.StatusOK {
		t.Fatalf("token response: got %d: %v", status, tokens)
	}
	t.Log(tokens, url.Values{})
}
