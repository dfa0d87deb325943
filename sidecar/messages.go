package sidecar

import (
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// bodyTimeout is how long a client may take to send a body. The response has no
// such limit.
const bodyTimeout = 30 * time.Second

// readMessages reads the body of a POST, as whose author the token's holder is
// then judged. Other methods have no body that anybody could judge.
func (x *exchange) readMessages() *answer {
	if x.r.Method != http.MethodPost {
		if x.r.ContentLength != 0 {
			return malformed(http.StatusBadRequest, jsonrpc.InvalidRequest, "only POST carries a body")
		}
		return nil
	}
	if a := checkEncoding(x.r.Header); a != nil {
		return a
	}
	// Who does not say how long the body is may send as much as anybody may.
	size := x.r.ContentLength
	if size < 0 {
		size = x.site.bodies.Bytes
	}
	if size <= x.site.bodies.Bytes && size > small {
		if x.leave = x.lending.room(x.r.Context(), size); x.leave == nil {
			return unavailable("too many long requests are under way")
		}
	}
	// The deadline is the connection's; it must not outlive a body that was read, or it
	// would cut the stream that answers. Recorders in tests have none.
	connection := http.NewResponseController(x.w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTimeout))
	x.memory = x.lending.borrow()
	body, err := jsonrpc.Read(x.r.Body, x.r.ContentLength, x.site.bodies, &x.memory.Buffer)
	if err == nil {
		_ = connection.SetReadDeadline(time.Time{})
	}
	x.sent = int64(x.memory.Len())
	x.leave = x.lending.shrink(x.leave, x.sent)

	refused := (*jsonrpc.Error)(nil)
	switch {
	case err == nil:
		x.body = body
		return nil
	case errors.Is(err, jsonrpc.ErrTooLarge):
		return malformed(http.StatusRequestEntityTooLarge, jsonrpc.InvalidRequest, "the body is too large")
	case errors.As(err, &refused):
		return &answer{status: http.StatusBadRequest, reason: reasonMalformed, body: refused}
	default:
		x.options.Logger.Debug("could not read a body", "error", err)
		return malformed(http.StatusBadRequest, jsonrpc.ParseError, "the body could not be read to its end")
	}
}

// checkEncoding refuses every body that somebody else might decode to another
// text than we read.
func checkEncoding(header http.Header) *answer {
	for _, coding := range header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return malformed(http.StatusUnsupportedMediaType, jsonrpc.InvalidRequest, "an encoded body is not accepted")
		}
	}
	types := header["Content-Type"]
	if len(types) == 1 {
		if types[0] == "application/json" {
			return nil
		}
		mediaType, params, err := mime.ParseMediaType(types[0])
		charset, named := params["charset"]
		if err == nil && mediaType == "application/json" && (!named || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return malformed(http.StatusUnsupportedMediaType, jsonrpc.InvalidRequest, "the Content-Type must be application/json, in UTF-8")
}

// The headers that repeat the body for intermediaries (MCP 2026-07-28).
const (
	headerMethod = "Mcp-Method"
	headerName   = "Mcp-Name"
)

// compareHeaders refuses a request whose headers tell an intermediary something
// else than its body tells the MCP server. They may be absent: older clients do
// not send them.
func (x *exchange) compareHeaders() *answer {
	if x.body == nil {
		return nil
	}
	methods, names := x.r.Header.Values(headerMethod), x.r.Header.Values(headerName)
	for i := range x.body.Messages {
		message := &x.body.Messages[i]
		agrees := true
		for _, method := range methods {
			agrees = agrees && method == message.Method
		}
		for _, name := range names {
			decoded, ok := decodeHeader(name)
			agrees = agrees && ok && message.MayBeCalled(decoded)
		}
		if !agrees {
			return &answer{status: http.StatusBadRequest, reason: reasonHeaders, body: &jsonrpc.Error{
				Code: jsonrpc.HeaderMismatch, Message: headerMethod + " or " + headerName + " is not what the body says", ID: message.ID,
			}}
		}
	}
	return nil
}

// decodeHeader undoes the wrapping of names that are not plain ASCII.
func decodeHeader(value string) (string, bool) {
	encoded, wrapped := strings.CutPrefix(value, "=?base64?")
	encoded, closed := strings.CutSuffix(encoded, "?=")
	if !wrapped || !closed {
		return value, true
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	return string(decoded), err == nil
}
