// Package jsonrpc reads as much of a JSON-RPC 2.0 body as a decision about it
// needs: of each message its id, its method and what the method acts on.
//
// The reader decides about text that another parser will read again, so it
// accepts only what every parser understands in the same way. It refuses
// invalid UTF-8, data behind the value, deep nesting, a key twice, a key that
// differs from one of ours by case alone (encoding/json would take it for ours),
// and control characters or unpaired surrogates in a method or a name. Where it
// does not look, below the members of params, anything goes.
package jsonrpc
