package replicas

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// How the test tells its other self what to be.
const (
	envIssuer   = "MCPAUTH_REPLICA_ISSUER"
	envDatabase = "MCPAUTH_REPLICA_DATABASE"
	envRing     = "MCPAUTH_REPLICA_RING"

	listening = "listening on "
	patience  = time.Minute
)

func TestMain(m *testing.M) {
	if os.Getenv(envIssuer) == "" {
		os.Exit(m.Run())
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve is a replica. It ends when its standard input does, and so with the test.
func serve() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	encoded, err := os.ReadFile(os.Getenv(envRing))
	if err != nil {
		return err
	}
	ring, err := keyring.Decode(encoded)
	if err != nil {
		return err
	}
	served, err := catalog.New(authservertest.Sample(os.Getenv(envIssuer)))
	if err != nil {
		return err
	}
	kept, err := store.OpenPostgreSQL(ctx, store.PostgreSQLConfig{URL: os.Getenv(envDatabase)})
	if err != nil {
		return err
	}
	server, err := authserver.New(authserver.Options{
		Catalog: func() *catalog.Catalog { return served }, Keys: func() *keyring.Ring { return ring },
		Store: kept, Secrets: authservertest.Secrets(), Audit: audit.Log{},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listening + listener.Addr().String())
	front := &http.Server{Handler: server, ReadHeaderTimeout: patience}
	go func() {
		<-ctx.Done()
		_ = front.Close()
	}()
	if err := front.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return kept.Close()
}

// replica is one of the processes.
type replica struct {
	address string
	command *exec.Cmd
}

func startReplica(t *testing.T, issuer, database, ring string) *replica {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), envIssuer+"="+issuer, envDatabase+"="+database, envRing+"="+ring)
	cmd.Stderr = t.Output()
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		ended := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer ended.Stop()
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(output).ReadString('\n')
		address <- strings.TrimSpace(strings.TrimPrefix(line, listening))
	}()
	select {
	case found := <-address:
		if found == "" {
			t.Fatal("the replica ended before it listened")
		}
		return &replica{address: found, command: cmd}
	case <-time.After(patience):
		t.Fatalf("the replica did not listen within %v", patience)
		return nil
	}
}

// at is the replica as the test's client calls it directly.
func (r *replica) at() *authservertest.Server {
	return &authservertest.Server{Issuer: "http://" + r.address}
}

// writeRing makes the keys that all replicas share.
func writeRing(t *testing.T) string {
	t.Helper()
	ring, err := keyring.New(keyring.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ring.json")
	if err := os.WriteFile(path, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
