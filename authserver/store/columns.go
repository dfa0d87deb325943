package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

// grantColumns are the columns of a Grant, in grants and, until it is redeemed,
// in codes.
const grantColumns = `grant_id, client_id, resource, issuer, scope, created_at, refreshable, generation,
	idle_expires_at, max_expires_at, user_subject, user_email, user_organization, user_groups,
	user_provider, user_auth_time`

// grantValues are what g puts into grantColumns.
func grantValues(g *Grant) []any {
	return []any{
		g.ID, g.ClientID, string(g.Resource), g.Issuer, list(g.Scope.Names()), millis(g.Created), flag(g.Refreshable), g.Generation,
		millis(g.IdleExpires), millis(g.MaxExpires), g.User.Subject, g.User.Email, g.User.Organization, list(g.User.Groups),
		g.User.Provider, millis(g.User.AuthTime),
	}
}

// grantTargets are where the values of grantColumns go.
func grantTargets(g *Grant) []any {
	return []any{
		&g.ID, &g.ClientID, &g.Resource, &g.Issuer, (*scopeColumn)(&g.Scope), (*timeColumn)(&g.Created), &g.Refreshable, &g.Generation,
		(*timeColumn)(&g.IdleExpires), (*timeColumn)(&g.MaxExpires), &g.User.Subject, &g.User.Email, &g.User.Organization,
		(*listColumn)(&g.User.Groups), &g.User.Provider, (*timeColumn)(&g.User.AuthTime),
	}
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
func list(items []string) string {
	if len(items) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(items) // cannot fail for strings
	return string(text)
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
func (c *listColumn) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T, not as text", value)
	}
	var items []string
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return fmt.Errorf("a stored list is damaged: %w", err)
	}
	if len(items) == 0 {
		items = nil
	}
	*c = items
	return nil
}

// scopeColumn reads a set of scopes that list wrote.
type scopeColumn oauth.ScopeSet

// Scan implements sql.Scanner.
func (c *scopeColumn) Scan(value any) error {
	var names listColumn
	if err := names.Scan(value); err != nil {
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
