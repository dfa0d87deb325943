package authserver_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

func TestWhatNobodyNeedsIsCleanedAwayInTheBackground(t *testing.T) {
	server := authservertest.New(t)
	app := server.Register(t, nil)
	hash := credential.HashOf(server.SignIn(t, server.Begin(app, nil)).Get("code"))
	if _, err := server.Store.Code(t.Context(), hash); err != nil {
		t.Fatalf("before: %v", err)
	}
	server.Advance(24 * time.Hour)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Handler.Run(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := server.Store.Code(t.Context(), hash)
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for the code to be deleted: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("waited 10 s for Run to end")
	}
}

func TestAServerNeedsItsParts(t *testing.T) {
	if _, err := authserver.New(authserver.Options{}); err == nil {
		t.Error("a server without parts was made")
	}
}
