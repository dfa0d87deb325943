package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/identity"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// serverOrders is the variable of the environment with a server's orders.
const serverOrders = "MCPAUTH_CRASH_SERVER"

// orders are what the server's process has to do, as JSON.
type orders struct {
	// File is a SQLite database, and URL a PostgreSQL one; one of them is set.
	File, URL string
	// Ring is a file with the key ring.
	Ring string
	// Issuer is the URL of the listener, which is the process' file 3.
	Issuer string
	// Now is what the server's clock always shows, so that no grace runs out however
	// slow the machine is.
	Now time.Time
}

// What the catalog of the server holds.
const (
	resourceID   = oauth.ResourceID("apps-todo")
	providerName = "people"
	userName     = "alice"
	appID        = "app"
	appRedirect  = "http://127.0.0.1:8765/callback"
	// codePath answers with a fresh code, as if the user had approved.
	codePath = "/test/code"
	// Verifier and challenge of every code (RFC 7636 appendix B).
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// What the server's process says, a line each.
const (
	saysOpening = "opening"
	saysServing = "serving"
)

// serve is the server's process. It ends when its input does, and so with the test.
func serve(text string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
		os.Exit(2)
	}()
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	encoded, err := os.ReadFile(o.Ring)
	if err != nil {
		return err
	}
	ring, err := keyring.Decode(encoded)
	if err != nil {
		return err
	}
	fmt.Println(saysOpening)
	kept, err := o.open(context.Background())
	if err != nil {
		return err
	}
	server, err := o.server(kept, ring)
	if err != nil {
		return err
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("POST "+codePath, func(w http.ResponseWriter, r *http.Request) {
		code := "mcpcode_" + credential.Random(32)
		if err := kept.CreateCode(r.Context(), o.code(code)); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, code)
	})
	go func() { _ = server.Run(context.Background()) }() // it returns nil
	fmt.Println(saysServing)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: silence}).Serve(listener)
}

func (o orders) open(ctx context.Context) (store.Store, error) {
	if o.URL != "" {
		return store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: o.URL})
	}
	return store.OpenSQLite(ctx, store.Config{Path: o.File})
}

func (o orders) server(kept store.Store, ring *keyring.Ring) (*authserver.Server, error) {
	password, err := bcrypt.GenerateFromPassword([]byte(credential.Random(16)), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	served, err := catalog.New(catalog.Content{
		Issuer: o.Issuer,
		Resources: []*catalog.Resource{{
			ID: resourceID, URL: "https://mcp.example.com/todo", DisplayName: "Todo",
			Scopes:              []*catalog.Scope{{Name: "todo:read", Description: "Read your tasks", Default: true}},
			AccessTokenLifetime: 15 * time.Minute, RefreshTokenIdle: 24 * time.Hour, RefreshTokenMax: 30 * 24 * time.Hour,
		}},
		Clients: []*catalog.Client{{
			ID: appID, Name: "App", Resources: []oauth.ResourceID{resourceID}, AuthMethod: oauth.AuthMethodNone,
			GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}, RedirectURIs: []string{appRedirect},
		}},
		Providers: []*catalog.IdentityProvider{{Name: providerName, DisplayName: "People", Static: &catalog.StaticProvider{
			Users: []catalog.StaticUser{{Username: userName, PasswordHash: string(password)}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	return authserver.New(authserver.Options{
		Catalog: func() *catalog.Catalog { return served }, Keys: func() *keyring.Ring { return ring }, Store: kept, Secrets: noSecrets{},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: func() time.Time { return o.Now },
	})
}

// code is what the journey to a code would have stored.
func (o orders) code(code string) store.Code {
	return store.Code{
		Hash: credential.HashOf(code), RedirectURI: appRedirect, RedirectURISent: true, Challenge: challenge, Expires: o.Now.Add(10 * time.Minute),
		Grant: store.Grant{
			ID: credential.Random(16), ClientID: appID, Resources: []oauth.ResourceID{resourceID},
			User:   store.User{Subject: identity.SubjectOf(providerName, userName), Provider: providerName, AuthTime: o.Now},
			Issuer: oauth.ResourceIssuer(o.Issuer, resourceID), Scope: oauth.NewScopeSet("todo:read"), Created: o.Now,
			Refreshable: true, Generation: 1, IdleExpires: o.Now.Add(24 * time.Hour), MaxExpires: o.Now.Add(30 * 24 * time.Hour),
		},
	}
}

// noSecrets is for a catalog without confidential clients.
type noSecrets struct{}

func (noSecrets) ClientSecrets(string) []credential.Hash { return nil }

func (noSecrets) ProviderSecret(context.Context, *catalog.OIDCProvider) (string, error) {
	return "", errors.New("there is no upstream provider")
}
