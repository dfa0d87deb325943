package identity

import (
	"cmp"
	"fmt"
	"time"
)

// Bounds on the claims that are read. A user with more groups has those beyond
// the bound not, which can only take permissions away.
const (
	maxGroups      = 1000
	maxGroupLength = 256
	maxNameLength  = 256
)

// claims are those of an ID token, top level only: a configured name is one
// member's, whatever dots it has.
type claims map[string]any

// assertion reads the configured claims. The provider's email_verified is taken to
// speak of the configured e-mail claim, whichever that is.
func (o *OIDC) assertion(c claims) (Assertion, error) {
	if azp, ok := c["azp"]; ok && azp != o.provider.ClientID {
		return Assertion{}, fmt.Errorf("%w: its ID token was issued to another client", ErrUpstream)
	}
	name := cmp.Or(o.provider.SubjectClaim, "sub")
	subject := c.text(name, maxSubjectLength)
	if subject == "" {
		return Assertion{}, fmt.Errorf("%w: its ID token has no usable claim %q", ErrUpstream, name)
	}
	return Assertion{
		Provider: o.name, Subject: subject,
		Email:         c.text(cmp.Or(o.provider.EmailClaim, "email"), maxEmailLength),
		EmailVerified: c.claimed("email_verified"),
		Name:          c.text("name", maxNameLength),
		Groups:        c.texts(cmp.Or(o.provider.GroupsClaim, "groups")),
		AuthTime:      c.authTime(o.now()),
		ACR:           c.text("acr", maxNameLength),
	}, nil
}

// text is a claim that is a string within the bound; anything else is as absent.
func (c claims) text(name string, bound int) string {
	text, _ := c[name].(string)
	if len(text) > bound {
		return ""
	}
	return text
}

// texts is a claim that is an array of strings, or one string.
func (c claims) texts(name string) []string {
	items, ok := c[name].([]any)
	if !ok {
		items = []any{c[name]}
	}
	var texts []string
	for _, item := range items {
		if text, _ := item.(string); text != "" && len(text) <= maxGroupLength && len(texts) < maxGroups {
			texts = append(texts, text)
		}
	}
	return texts
}

// claimed accepts true and, since some providers write it so, "true".
func (c claims) claimed(name string) bool { return c[name] == true || c[name] == "true" }

// authTime is when the user proved who they are, as the provider says: the zero
// time where it does not, since its own session may be days old. It is never in the
// future.
func (c claims) authTime(now time.Time) time.Time {
	seconds, ok := c["auth_time"].(float64)
	switch {
	case !ok || seconds <= 0:
		return time.Time{}
	case seconds >= float64(now.Unix()):
		return now.UTC()
	}
	return time.Unix(int64(seconds), 0).UTC()
}
