package sidecar

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// errNoToken says that a request carries no access token at all.
var errNoToken = errors.New("no access token was sent")

// schemeBearer is for tokens that belong to whoever has them (RFC 6750 §2.1);
// dpop.Scheme for those that are bound to a key.
const schemeBearer = "Bearer"

// authenticate demands one valid access token, in the Authorization header and
// nowhere else (RFC 6750 §2; MCP forbids the query string), and proof of its key
// where it is bound to one.
func (x *exchange) authenticate() *answer {
	scheme, token, err := readAuthorization(x.r.Header.Values("Authorization"))
	switch {
	case errors.Is(err, errNoToken):
		return x.challenge(oauth.Challenge{}, reasonNoToken)
	case err != nil:
		return badRequest(err.Error())
	case queryRepeats(x.r.URL, token):
		return badRequest("the token was sent in more than one way; send it in the Authorization header alone")
	}
	claims, err := x.site.verifier.Verify(x.r.Context(), token)
	if err == nil && !presentable(claims) {
		err = accesstoken.ErrMalformed
	}
	switch {
	case errors.Is(err, accesstoken.ErrKeysUnavailable):
		return unavailable("the authorization server's keys are not known at the moment")
	case err != nil:
		x.options.Logger.Debug("refused a token", "error", err)
		return x.challenge(oauth.Challenge{Error: oauth.InvalidToken, Description: describe(err)}, reasonInvalidToken)
	}
	if a := x.provePossession(scheme, token, claims); a != nil {
		return a
	}
	x.token, x.claims = token, claims
	return nil
}

// readAuthorization reads the header's one token (RFC 6750 §2.1, RFC 9449 §7.1) and
// the scheme that it came with, in the spelling of the constants.
func readAuthorization(headers []string) (scheme, token string, err error) {
	if len(headers) == 0 {
		return "", "", errNoToken
	}
	if len(headers) > 1 {
		return "", "", errors.New("there is more than one Authorization header")
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
		return "", "", errNoToken // another scheme asks to be told about ours (§3.1)
	case strings.ContainsFunc(token, notTokenCharacter):
		return "", "", errors.New("the Authorization header is not one bearer token")
	}
	return scheme, token, nil
}

// notTokenCharacter reports what RFC 7235's token68 does not have.
func notTokenCharacter(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	default:
		return !strings.ContainsRune("-._~+/=", r)
	}
}

// queryRepeats reports whether the query holds a token too: under its reserved
// name, or ours under any. It would end up in the upstream's logs.
func queryRepeats(u *url.URL, token string) bool {
	if u.RawQuery == "" {
		return false
	}
	return u.Query().Has("access_token") || strings.Contains(u.RawQuery, token)
}

// presentable reports whether a claim means upstream, in a header, what it means
// here: receivers trim white space, and line ends would be headers of their own.
func presentable(claims *accesstoken.Claims) bool {
	for _, value := range [...]string{claims.Subject, claims.Email, claims.ClientID, claims.Organization} {
		if value != strings.TrimSpace(value) || strings.ContainsFunc(value, isControl) {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// describe puts a refusal into words for the client's developer, out of a closed
// set: what strangers read never depends on what went wrong inside.
func describe(err error) string {
	switch {
	case errors.Is(err, accesstoken.ErrExpired):
		return "the access token has expired"
	case errors.Is(err, accesstoken.ErrNotYet):
		return "the access token is not valid yet"
	case errors.Is(err, accesstoken.ErrAudience):
		return "the access token is for another resource"
	case errors.Is(err, accesstoken.ErrIssuer):
		return "the access token is from another issuer"
	default:
		return "the access token is invalid"
	}
}

// challenge answers 401 and says where to go for a token (RFC 9728 §5.1), and
// what to ask for: enough for basic use.
func (x *exchange) challenge(c oauth.Challenge, why reason) *answer {
	c.Scope, c.ResourceMetadata = x.site.basic, x.site.metadataURL
	told := problem{c.Error, c.Description}
	if c.Error == "" {
		told.Description = "this server needs an access token"
	}
	challenges := []string{c.String()}
	if x.site.policy.RequireDPoP {
		challenges = append(challenges, challengeDPoP)
	}
	return &answer{
		status: http.StatusUnauthorized,
		reason: why,
		header: http.Header{"Www-Authenticate": challenges},
		body:   told,
	}
}

func badRequest(description string) *answer {
	return &answer{
		status: http.StatusBadRequest,
		reason: reasonMalformed,
		header: http.Header{"Www-Authenticate": {oauth.Challenge{Error: oauth.InvalidRequest, Description: description}.String()}},
		body:   problem{oauth.InvalidRequest, description},
	}
}
