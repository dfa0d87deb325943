package dev_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/store/postgrestest"
	"github.com/mcpauth/mcpauth/cmd/mcpauth/internal/dev"
	"github.com/mcpauth/mcpauth/test/journey"
	"github.com/mcpauth/mcpauth/test/samples"
	"github.com/mcpauth/mcpauth/test/todo/tasks"
)

// root is the checkout.
const root = "../../../.."

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// site is a running "mcpauth dev" over the samples, on ports of its own.
type site struct {
	mcpURL string
	data   string
	out    *output
}

// output is a buffer that a test reads while the command writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func start(t *testing.T, manifests, data string, mcpURL string) *site {
	t.Helper()
	server := tasks.NewServer(&tasks.Store{})
	upstream := httptest.NewServer(server)
	ctx, cancel := context.WithCancel(context.Background())
	s := &site{mcpURL: mcpURL, data: data, out: &output{}}
	cmd := dev.Command()
	cmd.SetArgs([]string{"-f", manifests, "--data", data, "--upstream", "todo=" + upstream.URL + "/mcp"})
	cmd.SetOut(s.out)
	cmd.SetErr(s.out)
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("mcpauth dev ended with %v", err)
		}
		server.CloseSessions()
		upstream.Close()
	})
	deadline := time.Now().Add(patience)
	for !strings.Contains(s.out.String(), "Ready after") {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("mcpauth dev ended before it was ready: %v\n%s", err, s.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("mcpauth dev did not say that it is ready:\n%s", s.out)
		}
	}
	return s
}

func startSamples(t *testing.T) *site {
	issuer, server := freeAddress(t), freeAddress(t)
	return start(t, samples.Copy(t, root, "127.0.0.1:9400", issuer, "127.0.0.1:9401", server), t.TempDir(), "http://"+server+"/mcp")
}

func TestARealClientMakesItsWholeJourney(t *testing.T) {
	s := startSamples(t)
	var story bytes.Buffer
	err := journey.Run(t.Context(), journey.Options{
		MCPURL: s.mcpURL, Username: "alice", Password: "wonderland", StepUp: journey.StepUpRequired, Out: &story,
	})
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, &story, s.out)
	}
}

func TestARealClientMakesItsWholeJourneyOnPostgreSQL(t *testing.T) {
	url := postgrestest.Start(t)
	issuer, server := freeAddress(t), freeAddress(t)
	manifests := samples.Copy(t, root, "127.0.0.1:9400", issuer, "127.0.0.1:9401", server,
		"type: SQLite", "type: PostgreSQL\n    postgresql: {urlSecretRef: {name: database, key: url}}")
	secret := fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: database, namespace: mcpauth-system}\nstringData: {url: %q}\n", url)
	if err := os.WriteFile(filepath.Join(manifests, "database.yaml"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, manifests, t.TempDir(), "http://"+server+"/mcp")
	err := journey.Run(t.Context(), journey.Options{MCPURL: s.mcpURL, Username: "alice", Password: "wonderland"})
	if err != nil {
		t.Errorf("%v\n%s", err, s.out)
	}
	if strings.Contains(s.out.String(), url) {
		t.Error("the output holds the database's URL")
	}
}

func TestTokensAreSignedWithTheWishedAlgorithm(t *testing.T) {
	for _, algorithm := range []string{"ES256", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			issuer, server, data := freeAddress(t), freeAddress(t), t.TempDir()
			wish := func(algorithm string) string {
				return samples.Copy(t, root, "127.0.0.1:9400", issuer, "127.0.0.1:9401", server, "type: SQLite", "type: SQLite\n  signingAlgorithm: "+algorithm)
			}
			s := start(t, wish(algorithm), data, "http://"+server+"/mcp")
			err := journey.Run(t.Context(), journey.Options{MCPURL: s.mcpURL, Username: "alice", Password: "wonderland"})
			if err != nil {
				t.Errorf("%v\n%s", err, s.out)
			}
			cmd := dev.Command()
			cmd.SetArgs([]string{"-f", wish("RS256"), "--data", data})
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "are for "+algorithm+", and the manifest says RS256") {
				t.Errorf("the keys of another algorithm: %v", err)
			}
		})
	}
}

func TestServerAndIssuerMayShareAnAddress(t *testing.T) {
	address := freeAddress(t)
	s := start(t, samples.Copy(t, root, "127.0.0.1:9400", address, "127.0.0.1:9401", address), t.TempDir(), "http://"+address+"/mcp")
	err := journey.Run(t.Context(), journey.Options{MCPURL: s.mcpURL, Username: "alice", Password: "wonderland"})
	if err != nil {
		t.Errorf("%v\n%s", err, s.out)
	}
}

func TestGeneratedCredentialsAreDeliveredAndWork(t *testing.T) {
	s := startSamples(t)
	path := filepath.Join(s.data, "clients", "apps.agent.json")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read %s: mode %v", path, info.Mode().Perm())
	}
	credentials := readCredentials(t, path)
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {s.mcpURL}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, credentials["token_endpoint"], strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(credentials["client_id"], credentials["client_secret"])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer["scope"] != "todo:read" {
		t.Errorf("answer is %v, %v", response.Status, err)
	}
	if strings.Contains(s.out.String(), credentials["client_secret"]) {
		t.Error("the output holds the secret")
	}
}

func TestKeysAndCredentialsOutliveTheProcess(t *testing.T) {
	issuer, server, data := freeAddress(t), freeAddress(t), t.TempDir()
	manifests := samples.Copy(t, root, "127.0.0.1:9400", issuer, "127.0.0.1:9401", server)
	var kept [2]string
	for i := range kept {
		t.Run(fmt.Sprintf("start %d", i+1), func(t *testing.T) {
			s := start(t, manifests, data, "http://"+server+"/mcp")
			response, err := http.Get("http://" + issuer + "/keys")
			if err != nil {
				t.Fatal(err, s.out)
			}
			defer func() { _ = response.Body.Close() }()
			var keys bytes.Buffer
			if _, err := keys.ReadFrom(response.Body); err != nil {
				t.Fatal(err)
			}
			kept[i] = keys.String() + readCredentials(t, filepath.Join(data, "clients", "apps.agent.json"))["client_secret"]
		})
	}
	if kept[0] != kept[1] {
		t.Error("a restart made new keys or new credentials")
	}
}

func readCredentials(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var credentials map[string]string
	if err := json.Unmarshal(content, &credentials); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"client_id", "client_secret", "issuer", "token_endpoint"} {
		if credentials[key] == "" {
			t.Errorf("%s lacks %s", path, key)
		}
	}
	return credentials
}
