package identity

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/mcpauth/mcpauth/catalog"
)

var testNow = time.Date(2031, time.May, 4, 10, 20, 30, 0, time.UTC)

func hashed(t *testing.T, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func people(t *testing.T) *Static {
	t.Helper()
	s := NewStatic("people", &catalog.StaticProvider{Users: []catalog.StaticUser{
		{Username: "alice", Email: "alice@example.com", PasswordHash: hashed(t, "correct horse", bcrypt.MinCost), Groups: []string{"staff"}},
		{Username: "bob", PasswordHash: hashed(t, strings.Repeat("p", 72), bcrypt.MinCost+2)},
		{Username: "alice", PasswordHash: hashed(t, "second alice", bcrypt.MinCost)},
		{Username: "broken", PasswordHash: "plain text"},
		{Username: "slow", PasswordHash: "$2a$31$" + strings.Repeat("a", 53)},
		{Username: "", PasswordHash: hashed(t, "nobody", bcrypt.MinCost)},
	}})
	s.Now = func() time.Time { return testNow }
	return s
}

func TestAUserSignsInWithTheirPassword(t *testing.T) {
	got, err := people(t).Authenticate(t.Context(), "alice", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	want := Assertion{
		Provider: "people", Subject: "alice", Email: "alice@example.com", EmailVerified: true,
		Name: "alice", Groups: []string{"staff"}, AuthTime: testNow,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the assertion (-want +got):\n%s", diff)
	}
}

func TestAUserWithoutAnAddressHasNoVerifiedOne(t *testing.T) {
	got, err := people(t).Authenticate(t.Context(), "bob", strings.Repeat("p", 72))
	if err != nil || got.EmailVerified {
		t.Errorf("got EmailVerified=%v, %v", got.EmailVerified, err)
	}
}

func TestWrongCredentialsAreRefusedAlike(t *testing.T) {
	tests := []struct{ name, username, password string }{
		{"a wrong password", "alice", "wrong"},
		{"no password", "alice", ""},
		{"an unknown user", "mallory", "correct horse"},
		{"no user", "", "nobody"},
		{"a user name in another case", "Alice", "correct horse"},
		{"the password of a later user of the same name", "alice", "second alice"},
		{"a password that begins with the right one and is longer than bcrypt reads", "bob", strings.Repeat("p", 73)},
		{"a user whose hash is no hash", "broken", "plain text"},
		{"a user whose hash would take hours", "slow", "anything"},
		{"a password of a megabyte", "alice", strings.Repeat("x", 1<<20)},
	}
	s := people(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := s.Authenticate(t.Context(), tt.username, tt.password)
			if !errors.Is(err, ErrCredentials) || got.Subject != "" {
				t.Errorf("got subject %q and error %v, want %v", got.Subject, err, ErrCredentials)
			}
		})
	}
}

// The time of an answer must not tell who exists: bcrypt's work, 2 to the power
// of the cost, is the same for every answer.
func TestEveryAnswerCostsTheSameWork(t *testing.T) {
	s := people(t)
	work := 0
	s.compare = func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Errorf("compared with what is no hash: %v", err)
		}
		work += 1 << cost
		err = bcrypt.CompareHashAndPassword(hash, password)
		if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			t.Errorf("the comparison did not do its work: %v", err)
		}
		return err
	}
	want := 1 << (bcrypt.MinCost + 2) // bob's, the highest
	for _, user := range []struct{ name, password string }{
		{"alice", "correct horse"}, {"alice", "wrong"}, {"bob", "wrong"}, {"mallory", "wrong"}, {"broken", "wrong"}, {"", ""},
	} {
		work = 0
		_, _ = s.Authenticate(t.Context(), user.name, user.password)
		if work != want {
			t.Errorf("%q with %q: work %d, want %d", user.name, user.password, work, want)
		}
	}
}

func TestAnEmptyListAdmitsNobody(t *testing.T) {
	s := NewStatic("people", &catalog.StaticProvider{})
	if _, err := s.Authenticate(t.Context(), "alice", "correct horse"); !errors.Is(err, ErrCredentials) {
		t.Errorf("got %v", err)
	}
}

func TestARequestThatWasGivenUpHashesNothing(t *testing.T) {
	s := people(t)
	s.compare = func(_, _ []byte) error { t.Error("it hashed"); return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Authenticate(ctx, "alice", "correct horse"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
