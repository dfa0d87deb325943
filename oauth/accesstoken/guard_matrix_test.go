package accesstoken_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// One row a deviation from a request that would pass.
func TestGuardSecurityMatrix(t *testing.T) {
	g := newGuarded(t)
	good := sign(t, g.ring)
	claims := func(change func(*accesstoken.Claims)) string { return sign(t, g.ring, change) }
	for _, tt := range []struct {
		name, clause string
		request      func(*http.Request)
		status       int
		code         oauth.ErrorCode
		says         string
	}{
		{"no token", "RFC 6750 §3.1", func(*http.Request) {}, 401, "", "needs an access token"},
		{"another scheme", "RFC 6750 §3.1", with("Authorization", "Basic YTpi"), 401, "", "needs an access token"},
		{"a scheme alone", "RFC 6750 §2.1", with("Authorization", "Bearer"), 401, "", "needs an access token"},
		{"a scheme and spaces", "RFC 6750 §2.1", with("Authorization", "Bearer   "), 401, "", "needs an access token"},
		{"a scheme that begins like ours", "RFC 9110 §11.1", with("Authorization", "Bearerx "+good), 401, "", "needs an access token"},
		{"an empty header", "RFC 9110 §11.6.2", with("Authorization", ""), 401, "", "needs an access token"},
		{"the token alone", "RFC 6750 §2.1", with("Authorization", good), 401, "", "needs an access token"},
		{"a tab for the space", "RFC 9110 §11.4", with("Authorization", "Bearer\t"+good), 401, "", "needs an access token"},
		{"the token in the query", "RFC 6750 §2.3, MCP Access Token Usage", query("access_token=" + good), 401, "", "needs an access token"},
		{"the token in a cookie", "RFC 6750 §2", with("Cookie", "access_token="+good), 401, "", "needs an access token"},
		{"the token in another header", "RFC 6750 §2", with("X-Access-Token", good), 401, "", "needs an access token"},
		{"the proxy's authorization", "RFC 9110 §11.7.2", with("Proxy-Authorization", "Bearer "+good), 401, "", "needs an access token"},

		{"two headers", "RFC 6750 §2", with("Authorization", "Bearer "+good, "Bearer "+good), 400, oauth.InvalidRequest, "more than one Authorization header"},
		{"two headers, of which one is empty", "RFC 6750 §2", with("Authorization", "Bearer "+good, ""), 400, oauth.InvalidRequest, "more than one Authorization header"},
		{"two tokens in one header", "RFC 6750 §2.1", with("Authorization", "Bearer "+good+", Bearer "+good), 400, oauth.InvalidRequest, "not one bearer token"},
		{"two tokens behind one scheme", "RFC 6750 §2.1", with("Authorization", "Bearer "+good+" "+good), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a space behind it", "RFC 9110 §11.2", with("Authorization", "Bearer "+good+" "), 400, oauth.InvalidRequest, "not one bearer token"},
		{"quotes around it", "RFC 9110 §11.2", with("Authorization", `Bearer "`+good+`"`), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a letter beyond ASCII", "RFC 9110 §11.2", with("Authorization", "Bearer ä"), 400, oauth.InvalidRequest, "not one bearer token"},
		{"a line break", "RFC 9110 §5.5", with("Authorization", "Bearer "+good+"\n"), 400, oauth.InvalidRequest, "not one bearer token"},
		{"in the query too", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=" + good)(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"in the query too, under another name", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("t=" + good)(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"another one in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"an encoded name in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access%5Ftoken=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"behind a semicolon in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("a=1;access_token=x")(r) }, 400, oauth.InvalidRequest, "in more than one way"},
		{"badly encoded in the query", "RFC 6750 §2", func(r *http.Request) { bearing(good)(r); query("access_token=%zz")(r) }, 400, oauth.InvalidRequest, "in more than one way"},

		{"no JWT", "RFC 9068 §4", bearing("undefined"), 401, oauth.InvalidToken, "is invalid"},
		{"a changed signature", "RFC 9068 §4", bearing(good[:len(good)-4] + "AAAA"), 401, oauth.InvalidToken, "is invalid"},
		{"no signature", "RFC 9068 §4", bearing(good[:strings.LastIndex(good, ".")+1]), 401, oauth.InvalidToken, "is invalid"},
		{"signed by another key", "RFC 9068 §4", bearing(sign(t, rings()[keyring.ES256])), 401, oauth.InvalidToken, "is invalid"},
		{"too long", "RFC 6750 §3.1", bearing(strings.Repeat("a", accesstoken.MaxTokenLength+1)), 401, oauth.InvalidToken, "is invalid"},
		{"expired", "RFC 9068 §4", bearing(claims(func(c *accesstoken.Claims) { c.Expiry = start.Add(-time.Hour) })), 401, oauth.InvalidToken, "has expired"},
		{"not valid yet", "RFC 7519 §4.1.6", bearing(claims(func(c *accesstoken.Claims) { c.IssuedAt = start.Add(time.Hour) })), 401, oauth.InvalidToken, "not valid yet"},
		{"for another resource", "RFC 8707 §2", bearing(claims(func(c *accesstoken.Claims) { c.Audience = []string{"https://other.example/mcp"} })), 401, oauth.InvalidToken, "for another resource"},
		{"from another issuer", "RFC 9068 §4", bearing(claims(func(c *accesstoken.Claims) { c.Issuer = "https://evil.example" })), 401, oauth.InvalidToken, "from another issuer"},
		{"a line break in the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = "a\r\nX-Admin: 1" })), 401, oauth.InvalidToken, "is invalid"},
		{"a space before the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = " alice" })), 401, oauth.InvalidToken, "is invalid"},
		{"a no-break space behind the subject", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Subject = "alice\u00a0" })), 401, oauth.InvalidToken, "is invalid"},
		{"a delete in the e-mail address", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Email = "a\x7f@b" })), 401, oauth.InvalidToken, "is invalid"},
		{"a null in the client", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.ClientID = "a\x00" })), 401, oauth.InvalidToken, "is invalid"},
		{"a tab behind the organization", "RFC 9110 §5.5", bearing(claims(func(c *accesstoken.Claims) { c.Organization = "o\t" })), 401, oauth.InvalidToken, "is invalid"},
		{"as a bound one", "RFC 9449 §7.1", with("Authorization", "DPoP "+good), 401, oauth.InvalidToken, "send it with the Bearer scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // what is remembered changes nothing
				got, err := g.Authenticate(post(tt.request))
				refusal := wantRefusal(t, err, tt.status, tt.code, tt.says)
				if got != (accesstoken.Presented{}) {
					t.Errorf("%s: the refused request has %+v", tt.clause, got)
				}
				if text := strings.Join(refusal.Challenges, "") + refusal.Description + refusal.Error(); strings.Contains(text, good) || strings.Contains(text, "alice") {
					t.Errorf("%s: the answer quotes the request: %s", tt.clause, text)
				}
			}
		})
	}
	if _, err := g.Authenticate(post(bearing(good))); err != nil {
		t.Errorf("the request without a deviation: %v", err)
	}
}
