package assertion

import (
	"math"
	"time"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

// Bounds on the lists that Texts reads. What is beyond them is left out, which can
// only take permissions away.
const (
	maxTexts      = 1000
	maxTextLength = 256
)

// Assertion is a JWT that Verify accepted.
type Assertion struct {
	Kind    Kind
	Issuer  string
	Subject string
	// ID is "jti"; empty where it has none, which only a Workload may.
	ID       string
	Audience []string
	Expires  time.Time
	// IssuedAt is zero where it has none.
	IssuedAt time.Time
	// Claims are all of them, as encoding/json reads JSON into a map.
	Claims map[string]any
}

// Text is a claim that is a string; anything else is "". Names are of the top
// level, whatever dots they have.
func (a *Assertion) Text(name string) string {
	text, _ := a.Claims[name].(string)
	return text
}

// Texts is a claim that is an array of strings, or one string.
func (a *Assertion) Texts(name string) []string {
	items, ok := a.Claims[name].([]any)
	if !ok {
		items = []any{a.Claims[name]}
	}
	var texts []string
	for _, item := range items {
		if text, _ := item.(string); text != "" && len(text) <= maxTextLength && len(texts) < maxTexts {
			texts = append(texts, text)
		}
	}
	return texts
}

// Time is a claim that is a NumericDate (RFC 7519 §2), to the second; ok is false
// where there is none.
func (a *Assertion) Time(name string) (at time.Time, ok bool) {
	return numericDate(a.Claims[name])
}

// numericDate keeps to the dates that a time.Time can say.
func numericDate(claim any) (time.Time, bool) {
	seconds, ok := claim.(float64)
	if !ok || seconds <= 0 || seconds > 253402300799 { // the end of the year 9999
		return time.Time{}, false
	}
	return time.Unix(int64(math.Floor(seconds)), 0).UTC(), true
}

// Once is under which key a used assertion is to be remembered, and until when:
// then no server accepts it any more, whatever its clock is within the skew. Two
// issuers may use one "jti".
func (a *Assertion) Once() (key credential.Hash, until time.Time) {
	name := map[Kind]string{ClientAuthentication: "client", IdentityGrant: "identity", Workload: "workload"}[a.Kind]
	return credential.HashOf("assertion\x00" + name + "\x00" + a.Issuer + "\x00" + a.ID), a.Expires.Add(2 * skew)
}
