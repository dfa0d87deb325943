package jsonrpc

import (
	"encoding/json"
	"errors"
)

// Code is a JSON-RPC error code.
type Code int

// The codes of JSON-RPC 2.0 §5.1, and one of MCP's own.
const (
	ParseError     Code = -32700
	InvalidRequest Code = -32600
	InvalidParams  Code = -32602
	InternalError  Code = -32603
	// HeaderMismatch says that Mcp-Method or Mcp-Name is not what the body says.
	HeaderMismatch Code = -32020
)

// ErrTooLarge says that a body is longer than Read's limit.
var ErrTooLarge = errors.New("the body is too large")

// Error is a body or a message that cannot be accepted. Its text is written for
// the sender and quotes nothing of what was sent.
type Error struct {
	Code    Code
	Message string
	// ID is the refused message's, where there is one; nil is written as null.
	ID json.RawMessage
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// MarshalJSON writes the error as a JSON-RPC response (§5).
func (e *Error) MarshalJSON() ([]byte, error) {
	type body struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
	}
	return json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Error   body            `json:"error"`
	}{"2.0", e.ID, body{e.Code, e.Message}})
}
