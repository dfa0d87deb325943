package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// userColumns are the columns of a User, in sessions and as the last ones of a
// Grant.
const userColumns = `user_subject, user_email, user_organization, user_groups, user_provider, user_auth_time, user_acr`

// grantColumns are the columns of a Grant, in grants and, until it is redeemed,
// in codes.
const grantColumns = `grant_id, client_id, resources, issuer, scope, created_at, refreshable, generation,
	idle_expires_at, max_expires_at, ` + userColumns

// userValues are what u puts into userColumns.
func userValues(u *User) []any {
	return []any{u.Subject, u.Email, u.Organization, list(u.Groups), u.Provider, millis(u.AuthTime), u.ACR}
}

// userTargets are where the values of userColumns go.
func userTargets(u *User) []any {
	return []any{&u.Subject, &u.Email, &u.Organization, (*listColumn)(&u.Groups), &u.Provider, (*timeColumn)(&u.AuthTime), &u.ACR}
}

// grantValues are what g puts into grantColumns.
func grantValues(g *Grant) []any {
	return append([]any{
		g.ID, g.ClientID, list(g.Resources), g.Issuer, list(g.Scope.Names()), millis(g.Created), flag(g.Refreshable),
		g.Generation, millis(g.IdleExpires), millis(g.MaxExpires),
	}, userValues(&g.User)...)
}

// grantTargets are where the values of grantColumns go.
func grantTargets(g *Grant) []any {
	return append([]any{
		&g.ID, &g.ClientID, (*resourcesColumn)(&g.Resources), &g.Issuer, (*scopeColumn)(&g.Scope),
		(*timeColumn)(&g.Created), &g.Refreshable, &g.Generation, (*timeColumn)(&g.IdleExpires), (*timeColumn)(&g.MaxExpires),
	}, userTargets(&g.User)...)
}

// millis is a time's stored form: unix milliseconds, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// flag is a truth value's stored form.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// list is the stored form of texts: a JSON array, empty for none.
func list[T ~string](items []T) string {
	length := len("[]")
	for _, item := range items {
		if !quotable(string(item)) {
			text, _ := json.Marshal(items) // cannot fail for strings
			return string(text)
		}
		length += len(item) + len(`"",`)
	}
	var b strings.Builder
	b.Grow(length)
	b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(string(item))
		b.WriteByte('"')
	}
	b.WriteByte(']')
	return b.String()
}

// quotable reports whether JSON writes the text between quotes as it is, which
// spares the encoder: most texts are names.
func quotable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// parseList reads what list wrote; an empty list is nil.
func parseList[T ~string](value any) ([]T, error) {
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("a list is stored as %T, not as text", value)
	}
	if text == "[]" {
		return nil, nil
	}
	if items := splitList[T](text); items != nil {
		return items, nil
	}
	var items []T
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("a stored list is damaged: %w", err)
	}
	return items, nil
}

// splitList reads a list as list writes it where it needs no encoder, and else
// returns nil: without a backslash, every quote is one around a text.
func splitList[T ~string](text string) []T {
	inner, opened := strings.CutPrefix(text, `["`)
	inner, closed := strings.CutSuffix(inner, `"]`)
	n := 1 + strings.Count(inner, `","`)
	if !opened || !closed || strings.IndexByte(inner, '\\') >= 0 || strings.Count(inner, `"`) != 2*(n-1) {
		return nil
	}
	items := make([]T, 0, n)
	for item := range strings.SplitSeq(inner, `","`) {
		items = append(items, T(item))
	}
	return items
}

// timeColumn reads what millis wrote.
type timeColumn time.Time

// Scan implements sql.Scanner.
func (c *timeColumn) Scan(value any) error {
	n, ok := value.(int64)
	switch {
	case !ok:
		return fmt.Errorf("a time is stored as %T, not as a number", value)
	case n == 0:
		*c = timeColumn{}
	default:
		*c = timeColumn(time.UnixMilli(n).UTC())
	}
	return nil
}

// listColumn reads what list wrote; an empty list is nil.
type listColumn []string

// Scan implements sql.Scanner.
func (c *listColumn) Scan(value any) (err error) {
	*c, err = parseList[string](value)
	return err
}

// resourcesColumn reads resources that list wrote.
type resourcesColumn []oauth.ResourceID

// Scan implements sql.Scanner.
func (c *resourcesColumn) Scan(value any) (err error) {
	*c, err = parseList[oauth.ResourceID](value)
	return err
}

// scopeColumn reads a set of scopes that list wrote.
type scopeColumn oauth.ScopeSet

// Scan implements sql.Scanner.
func (c *scopeColumn) Scan(value any) error {
	names, err := parseList[string](value)
	if err != nil {
		return err
	}
	*c = scopeColumn(oauth.NewScopeSet(names...))
	return nil
}

// hashColumn reads a hash's text; an empty one is the zero Hash.
type hashColumn credential.Hash

// Scan implements sql.Scanner.
func (c *hashColumn) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a hash is stored as %T, not as text", value)
	}
	if text == "" {
		*c = hashColumn{}
		return nil
	}
	hash, err := credential.ParseHash(text)
	if err != nil {
		return err
	}
	*c = hashColumn(hash)
	return nil
}
