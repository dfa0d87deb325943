package identity

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpauth/mcpauth/catalog"
)

const (
	// maxPasswordLength is where bcrypt stops reading: a longer password would be
	// equal to its own beginning.
	maxPasswordLength = 72
	// maxCost bounds what one guess costs us: about four seconds of one core.
	maxCost = 16
)

// Static is a Password provider over a list of users with bcrypt hashes. It is
// safe for concurrent use.
type Static struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	name  string
	users map[string]staticUser
	// cost is the highest of all users: every answer takes its time.
	cost int
	// compare is bcrypt's; tests count its work.
	compare func(hash, password []byte) error
}

type staticUser struct {
	catalog.StaticUser
	cost int
}

// NewStatic makes the provider of that name. A user whose hash is not bcrypt, or
// one of a cost above 16, cannot sign in; of two users with one name the first
// counts.
func NewStatic(name string, provider *catalog.StaticProvider) *Static {
	s := &Static{name: name, users: make(map[string]staticUser, len(provider.Users)), cost: bcrypt.MinCost,
		compare: bcrypt.CompareHashAndPassword}
	for _, user := range provider.Users {
		cost, err := bcrypt.Cost([]byte(user.PasswordHash))
		if _, taken := s.users[user.Username]; taken || user.Username == "" || err != nil || cost > maxCost {
			continue
		}
		s.users[user.Username] = staticUser{StaticUser: user, cost: cost}
		s.cost = max(s.cost, cost)
	}
	return s
}

// Authenticate implements Password. Its e-mail addresses count as verified: an
// administrator wrote them.
func (s *Static) Authenticate(ctx context.Context, username, password string) (Assertion, error) {
	if err := ctx.Err(); err != nil {
		return Assertion{}, err
	}
	if len(password) > maxPasswordLength {
		return Assertion{}, ErrCredentials
	}
	user, known := s.users[username]
	if !s.matches(user, known, []byte(password)) {
		return Assertion{}, ErrCredentials
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	return Assertion{
		Provider: s.name, Subject: user.Username, Email: user.Email, EmailVerified: user.Email != "",
		Name: user.Username, Groups: user.Groups, AuthTime: now().UTC(),
	}, nil
}

// matches does the work of one hash of the highest cost, whoever asks: bcrypt's
// work doubles with each step of cost, so a hash of a lower one and one more of
// each cost from there up make the same sum.
func (s *Static) matches(user staticUser, known bool, password []byte) bool {
	if !known {
		_ = s.compare(unmatchable(s.cost), password)
		return false
	}
	err := s.compare([]byte(user.PasswordHash), password)
	for cost := user.cost; cost < s.cost; cost++ {
		_ = s.compare(unmatchable(cost), password)
	}
	return err == nil
}

// unmatchable is a hash of nobody's password, well formed so that comparing with
// it does all of the work.
func unmatchable(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, "abcdefghijklmnopqrstuu"+"abcdefghijklmnopqrstuvwxyzabcde")
}
