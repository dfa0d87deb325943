package accesstoken

import (
	"net/url"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// schemeBearer is for tokens that belong to whoever has them (RFC 6750 §2.1);
// dpop.Scheme for those that are bound to a key.
const schemeBearer = "Bearer"

// readAuthorization reads the header's one token (RFC 6750 §2.1, RFC 9449 §7.1) and
// the scheme that it came with, in the spelling of the constants.
func readAuthorization(headers []string) (scheme, token string, why ground) {
	switch len(headers) {
	case 0:
		return "", "", noToken
	case 1:
	default:
		return "", "", twoHeaders
	}
	stated, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case strings.EqualFold(stated, schemeBearer):
		scheme = schemeBearer
	case strings.EqualFold(stated, dpop.Scheme):
		scheme = dpop.Scheme
	}
	switch {
	case scheme == "", token == "":
		return "", "", noToken // another scheme asks to be told about ours (§3.1)
	case !isToken68(token):
		return "", "", notOneToken
	}
	return scheme, token, nothing
}

// token68 marks the characters of RFC 7235's token68.
var token68 = func() (marked [256]bool) {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/="
	for i := range len(characters) {
		marked[characters[i]] = true
	}
	return marked
}()

func isToken68(text string) bool {
	for i := range len(text) {
		if !token68[text[i]] {
			return false
		}
	}
	return true
}

// addressRepeats reports whether the address holds a token too: in its path, under its
// reserved name in the query, or ours under any. It would end up in somebody's logs.
// Where we cannot parse a query, somebody else might.
func addressRepeats(u *url.URL, token string) bool {
	if strings.Contains(u.Path, token) {
		return true
	}
	if u.RawQuery == "" {
		return false
	}
	values, err := url.ParseQuery(u.RawQuery)
	for _, named := range values {
		if slices.ContainsFunc(named, func(value string) bool { return strings.Contains(value, token) }) {
			return true
		}
	}
	return values.Has("access_token") || strings.Contains(u.RawQuery, token) ||
		err != nil && strings.Contains(u.RawQuery, "access_token")
}

// presentable reports whether a claim means in a header what it means here: receivers
// trim white space, and line ends would be headers of their own.
func presentable(claims *Claims) bool {
	return presentableText(claims.Subject) && presentableText(claims.Email) &&
		presentableText(claims.ClientID) && presentableText(claims.Organization)
}

func presentableText(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] == 0x7f {
			return false
		}
	}
	return text == strings.TrimSpace(text)
}
