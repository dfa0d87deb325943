//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/mcpauth/mcpauth/test/bench/internal/load"
)

// toolCall is the body of every call.
const toolCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"list_tasks","arguments":{"project":"apollo","status":"open",` +
	`"assignee":"user@example.com","due_before":"2027-01-01","order":"priority","limit":50},"_meta":{"progressToken":"7",` +
	`"io.modelcontextprotocol/clientInfo":{"name":"agent","version":"1.4.2"}}}}`

// protocolVersion is that of MCP.
const protocolVersion = "2026-07-28"

// call is a request that calls a tool with the token.
func call(token string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: mcp.example.com\r\nUser-Agent: agent/1.4.2\r\nAccept: application/json, text/event-stream\r\n"+
		"Content-Type: application/json\r\nMcp-Protocol-Version: %s\r\nMcp-Method: tools/call\r\nMcp-Name: list_tasks\r\n"+
		"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", mcpPath, protocolVersion, token, len(toolCall), toolCall)
}

// listen is a request that opens a stream with the token.
func listen(token string) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: mcp.example.com\r\nUser-Agent: agent/1.4.2\r\nAccept: text/event-stream\r\n"+
		"Mcp-Protocol-Version: %s\r\nAuthorization: Bearer %s\r\n\r\n", mcpPath, protocolVersion, token)
}

// prepared are the requests that write makes of tokens.
func prepared(tokens []string, write func(token string) []byte) [][]byte {
	all := make([][]byte, len(tokens))
	for i, token := range tokens {
		all[i] = write(token)
	}
	return all
}

// caller says every step-th request, from one on: for ever, or once each.
type caller struct {
	requests [][]byte
	at, step int
	once     bool
}

func (c *caller) Next() []byte {
	if c.at >= len(c.requests) {
		if c.once {
			return nil
		}
		c.at %= len(c.requests)
	}
	request := c.requests[c.at]
	c.at += c.step
	return request
}

var wantedResult = []byte(toolResult)

func (c *caller) Answered(status int, body []byte) error {
	if status != http.StatusOK || !bytes.Equal(body, wantedResult) {
		return fmt.Errorf("a call is answered %d: %s", status, body)
	}
	return nil
}

// callers share the requests out among connections.
func callers(requests [][]byte, connections int, once bool) []load.Script {
	all := make([]load.Script, connections)
	for i := range all {
		all[i] = &caller{requests: requests, at: i, step: connections, once: once}
	}
	return all
}
