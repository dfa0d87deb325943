package accesstoken

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// Refusal is the answer to a request that may not pass. Clients are told all of it but
// Err and Claims.
type Refusal struct {
	// Status is 400, 401, 403 or 503.
	Status int
	// Code is what clients act on; empty where no token came (RFC 6750 §3.1).
	Code oauth.ErrorCode
	// Description is a sentence for the client's developer, out of a closed set: what
	// strangers read never depends on what went wrong inside.
	Description string
	// Challenges are the values of WWW-Authenticate, the Bearer one first: there are
	// clients that look no further. They are shared and only read.
	Challenges []string
	// RetryAfter is when it may be better; zero where the request itself has to change.
	RetryAfter time.Duration
	// Err is the cause, for errors.Is and for logs; nil where the request says it all.
	Err error
	// Claims are those of a genuine token that is refused all the same, since it has
	// expired, was revoked, or is not its sender's: for audits, which want to know whose it
	// was, and nothing else. Nil where the token may be anybody's making.
	Claims *Claims
}

// Error reads "code: description", with the cause behind it for logs.
func (r *Refusal) Error() string {
	text := r.Description
	if r.Code != "" {
		text = string(r.Code) + ": " + text
	}
	if r.Err != nil {
		text += " (" + r.Err.Error() + ")"
	}
	return text
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// ServeHTTP answers with the refusal, as JSON (RFC 6749 §5.2) that no cache keeps.
func (r *Refusal) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	for _, challenge := range r.Challenges {
		header.Add("WWW-Authenticate", challenge)
	}
	if r.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds()))))
	}
	w.WriteHeader(r.Status)
	// A client that is gone by now has nobody to be told.
	_ = json.NewEncoder(w).Encode(struct {
		Error       oauth.ErrorCode `json:"error,omitempty"`
		Description string          `json:"error_description"`
	}{r.Code, r.Description})
}

// retryAfter is for what a moment may mend.
const retryAfter = 5 * time.Second

// refuse returns the prepared refusal with its cause.
func (g *Guard) refuse(why ground, cause error) *Refusal {
	refusal := g.ready.refusals[why]
	refusal.Err = cause
	return &refusal
}

// of says whose token is refused.
func (r *Refusal) of(claims *Claims) *Refusal {
	r.Claims = claims
	return r
}

// challengeDPoP stands behind the Bearer challenge where keys are demanded (RFC 9449
// §7.1): clients that look no further than the first still find what to ask for.
var challengeDPoP = dpop.Scheme + ` algs="` + strings.Join(dpop.Algorithms(), " ") + `"`

// compose works out what a client is told. A 401 says where to go for a token (RFC
// 9728 §5.1), and what to ask for.
func (g *Guard) compose(why ground) Refusal {
	told := grounds[why]
	refusal := Refusal{Status: told.status, Code: told.code, Description: told.says}
	challenge := oauth.Challenge{Error: told.code}
	if told.code != "" {
		challenge.Description = told.says
	}
	switch told.status {
	case http.StatusServiceUnavailable:
		refusal.RetryAfter = retryAfter
	case http.StatusBadRequest:
		refusal.Challenges = []string{challenge.String()}
	case http.StatusUnauthorized:
		challenge.Scope, challenge.ResourceMetadata = g.Scopes, g.ready.metadataURL
		refusal.Challenges = []string{challenge.String()}
		if g.RequireDPoP {
			refusal.Challenges = []string{challenge.String(), challengeDPoP}
		}
	}
	return refusal
}
