//go:build linux

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
	"github.com/mcpauth/mcpauth/test/bench/internal/profile"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
)

// TestMain makes the test binary the program that children are.
func TestMain(m *testing.M) {
	child.Run(os.Args, roles())
	os.Exit(m.Run())
}

// measure runs the command with numbers that take no time.
func measure(t *testing.T, arguments ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{
		"--data", t.TempDir(), "--rounds=1", "--round=50ms", "--connections=2,4", "--tokens=20", "--fresh=10",
		"--events=3", "--streams=20", "--starts=2", "--settle=10ms", "--profile=never",
	}, arguments...))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v; it said:\n%s", err, &out)
	}
	return out.String()
}

func TestARunMeasuresEverythingAndWritesTheDocument(t *testing.T) {
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(document, []byte("# Head\n<!-- bench-sidecar:begin -->\nold\n<!-- bench-sidecar:end -->\ntail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := measure(t, "--document", document)
	written, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(written, []byte("old\n")) || !bytes.HasSuffix(written, []byte("tail\n")) {
		t.Errorf("the document is\n%s", written)
	}
	for _, figure := range []string{
		"load generator, against the MCP server itself", "a second bare proxy, 2 connections", "known tokens, 2 connections", "known tokens, 4 connections", "known tokens, 4 connections, p99",
		"known tokens, 4 connections, of a core a request", "known tokens, 4 connections, new ones to the MCP server",
		"new RS256 tokens, 2 connections", "new ES256 tokens, 2 connections", "new EdDSA tokens, 2 connections",
		"first event of a stream", "resident memory, idle", "resident memory, an open stream", "start to /readyz", "size of the program",
	} {
		if !strings.Contains(said, "\n"+figure+" ") && !strings.HasPrefix(said, figure+" ") || !bytes.Contains(written, []byte("| "+figure+" | ")) {
			t.Errorf("there is no %s in\n%s\nor in\n%s", figure, said, written)
		}
	}
}

func TestAPartByItselfWritesNothing(t *testing.T) {
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	said := measure(t, "--only=start", "--document", document)
	if _, err := os.Stat(document); !os.IsNotExist(err) {
		t.Errorf("the document: %v", err)
	}
	if !strings.Contains(said, "size of the program") || strings.Contains(said, "known tokens") {
		t.Errorf("it said\n%s", said)
	}
}

func TestProfilesAreMadeOnDemand(t *testing.T) {
	if err := profile.Check(); err != nil {
		t.Skip(err)
	}
	said := measure(t, "--only=warm", "--connections=2", "--profile", "--document=")
	if !strings.Contains(said, "in the functions themselves of sidecar") && !strings.Contains(said, profile.ErrNone.Error()) {
		t.Errorf("it said\n%s", said)
	}
}

func TestFlagsThatMeanNothingAreRefused(t *testing.T) {
	for _, arguments := range [][]string{
		{"--only=nothing"}, {"--rounds=0"}, {"--round=1m"}, {"--connections=0"}, {"--connections=100", "--fresh=10"}, {"--profile=often"}, {"--streams=0"},
	} {
		cmd := command()
		cmd.SetOut(io.Discard)
		cmd.SetArgs(arguments)
		if err := cmd.ExecuteContext(t.Context()); err == nil {
			t.Errorf("%v was accepted", arguments)
		}
	}
}

func TestTokensAreOfDifferentUsersAndGrants(t *testing.T) {
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := sign(ring, 5)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tokens)
	if len(slices.Compact(tokens)) != 5 {
		t.Error("some are the same")
	}
	if length := len(tokens[0]); length < 800 || length > 1100 || length > accesstoken.MaxTokenLength {
		t.Errorf("a token has %d bytes", length)
	}
}

func TestThePolicyOpensWhatIsCalled(t *testing.T) {
	encoded, err := newPolicy("127.0.0.1:1", &authorizationServer{url: "http://127.0.0.1:2"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	held := claims(0, time.Now()).Scope
	if d := p.Decide(policy.Operation{Method: policy.CallTool, Name: "list_tasks"}, held); !d.Allowed || d.Reason != policy.ReasonScope {
		t.Errorf("the call: %+v", d)
	}
	if d := p.Decide(policy.Operation{Method: policy.CallTool, Name: "delete_task"}, held); d.Allowed {
		t.Errorf("another one: %+v", d)
	}
}

func TestCallersShareTheRequests(t *testing.T) {
	requests := [][]byte{[]byte("0"), []byte("1"), []byte("2"), []byte("3"), []byte("4")}
	var said []string
	for _, c := range callers(requests, 2, true) {
		for next := c.Next(); next != nil; next = c.Next() {
			said = append(said, string(next))
		}
	}
	if got := strings.Join(said, ""); got != "02413" {
		t.Errorf("once each they say %s", got)
	}
	endless := callers(requests, 2, false)[1]
	said = nil
	for range 6 {
		said = append(said, string(endless.Next()))
	}
	if got := strings.Join(said, ""); got != "130241" {
		t.Errorf("for ever one says %s", got)
	}
	if err := endless.Answered(http.StatusOK, []byte(toolResult)); err != nil {
		t.Error(err)
	}
	for status, body := range map[int]string{http.StatusUnauthorized: toolResult, http.StatusOK: "{}"} {
		if err := endless.Answered(status, []byte(body)); err == nil {
			t.Errorf("%d %s was accepted", status, body)
		}
	}
}

func TestARatioIsThatOfNeighbours(t *testing.T) {
	r := &race{
		sidecar: &side{taken: sample.Samples{{Cost: 10}, {Cost: 100}, {Cost: 30}}},
		bare:    &side{taken: sample.Samples{{Cost: 10}, {Cost: 50}, {Cost: 10}}},
	}
	if got := r.ratio(cost); got != 2 {
		t.Errorf("it is %v", got)
	}
}

func TestTheFeedIsEmptyAndHeld(t *testing.T) {
	a, err := startAuthorizationServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	set := &revocation.Set{}
	follower := &revocation.Follower{URL: a.url + feedPath, Set: set, Wait: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); follower.Run(ctx) }()
	for begun := time.Now(); follower.LastContact().IsZero(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("waited 30 s in vain for the feed's first answer")
		}
	}
	stop()
	<-ended
	if a.followers.Load() != 1 || set.Len() != 0 {
		t.Errorf("%d followers, %d revocations", a.followers.Load(), set.Len())
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}

func TestTheLastCollectionIsFound(t *testing.T) {
	log := "{\"msg\":\"serving\"}\ngc 1 @0.1s 1%: 4->4->1 MB\n{\"msg\":\"gc \"}\ngc 2 @0.4s 7%: 60->66->58 MB\n{}\n"
	if got := lastCollection([]byte(log)); got != "gc 2 @0.4s 7%: 60->66->58 MB\n" {
		t.Errorf("it is %q", got)
	}
}
