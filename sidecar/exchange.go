package sidecar

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// writeTimeout is how long a client may take to accept what there is for it. A stream on
// which there is nothing to write may last for ever.
const writeTimeout = 2 * time.Minute

// restTimeout is how long a client may take to send the rest of a body that is refused.
const restTimeout = 5 * time.Second

// exchange is one request on its way through the steps. Each field says which
// step sets it; the steps behind may rely on it.
type exchange struct {
	*Sidecar
	w       http.ResponseWriter
	r       *http.Request
	started time.Time

	site    *site               // enter
	target  string              // route: the path at the MCP server
	posts   bool                // route: it is where clients of HTTP with SSE post
	token   string              // authenticate: the text of the token
	claims  *accesstoken.Claims // authenticate; shared, only read
	session string              // bindSession: the session that it names, if any
	release func()              // limit: gives a stream's place back; nil for none
	body    *jsonrpc.Body       // readMessages; nil unless the method is POST
	memory  *body               // readMessages: where body lives
	leave   func()              // readMessages: gives the room of a large body back; nil for none
	// decisions has one for each message of body: authorize.
	decisions []policy.Decision
	single    [1]policy.Decision
	span      span // forward
	// over says that a stream ends because its token has.
	over atomic.Bool
	// endpoint says that session began with this stream (MCP 2024-11-05).
	endpoint bool

	// status, reason and the bytes of both bodies are how it ended, for the audit: reply
	// and forward.
	status        int
	reason        reason
	sent, written int64
	// unaudited marks answers that concern nobody: route and checkOrigin.
	unaudited bool
}

// end writes down what happened and gives back what was lent. It runs also where the
// answer broke off.
func (x *exchange) end() {
	if x.release != nil {
		x.release()
	}
	if x.endpoint {
		x.sessions.forget(x.session) // it ends with its stream
	}
	x.audit()
	x.span.end(x)
	x.lending.lend(x.memory)
	if x.leave != nil {
		x.leave()
	}
}

// answer is a response that the sidecar gives itself.
type answer struct {
	status int
	// reason says to the audit why the request was refused.
	reason reason
	// header is added to the response; nil adds nothing.
	header http.Header
	// body is written as JSON; nil writes none.
	body any
}

// problem is the JSON body of an answer about OAuth (RFC 6749 §5.2).
type problem struct {
	Error       oauth.ErrorCode `json:"error,omitempty"`
	Description string          `json:"error_description,omitempty"`
}

// malformed answers a request that is not MCP over HTTP, in JSON-RPC's words,
// since that is what clients show.
func malformed(status int, code jsonrpc.Code, message string) *answer {
	return &answer{status: status, reason: reasonMalformed, body: &jsonrpc.Error{Code: code, Message: message}}
}

// unavailable answers while the sidecar lacks what it needs to decide.
func unavailable(description string) *answer {
	return &answer{
		status: http.StatusServiceUnavailable,
		reason: reasonUnavailable,
		header: http.Header{"Retry-After": {"5"}},
		body:   problem{oauth.TemporarilyUnavailable, description},
	}
}

// reply writes an answer.
func (x *exchange) reply(a *answer) {
	x.status, x.reason = a.status, a.reason
	header := x.w.Header()
	x.allowOrigin(header)
	header.Set("Cache-Control", "no-store")
	for name, values := range a.header {
		header[name] = values
	}
	x.allowTime()
	if x.body == nil && x.r.ContentLength != 0 {
		// net/http reads what is left of the body before it answers, which must have an end.
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(restTimeout))
	}
	if a.body == nil {
		x.w.WriteHeader(a.status)
		return
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		x.options.Logger.Error("could not encode an answer", "error", err)
		x.w.WriteHeader(http.StatusInternalServerError)
		return
	}
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(a.status)
	// A client that is gone by now has nobody to be told.
	n, _ := x.w.Write(append(body, '\n'))
	x.written += int64(n)
}

// allowTime gives the client its time for what is written next. The deadline is the
// connection's, so every answer sets its own. Recorders in tests have none.
func (x *exchange) allowTime() {
	err := http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		x.options.Logger.Debug("could not set a deadline", "error", err)
	}
}
