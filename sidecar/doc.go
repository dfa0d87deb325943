// Package sidecar is the validating proxy in front of one MCP server: it answers
// OAuth's questions itself and lets through only what the policy allows.
//
//	/.well-known/oauth-protected-resource{path}   RFC 9728, to everybody
//	{path}, {path}/…                              POST, GET, DELETE, as below
//	the policy's message path                     the same, for clients of HTTP with SSE
//	everything else                               404, in JSON
//
// A request passes, in this order (ServeHTTP holds the list, a file each step):
//
//	route ▶ origin ▶ method ▶ token ▶ limits ▶ session ▶ body ▶ headers ▶ policy ▶ tool's limit
//	                                                                                    │
//	                  client ◀ lists cut ◀ answer ◀ MCP server ◀ relay ◀ identity ◀─────┘
//
// Whatever becomes of it ends in an audit event and in the metrics. Who calls is found out
// by an accesstoken.Guard, and what it may do by policy.Decide; package jsonrpc reads
// bodies, eventstream and relay carry the answer.
//
// The client's token ends here. The MCP server hears who calls from the headers
// X-Mcp-Auth-Subject, -Email, -Client, -Scope and -Organization, which nobody
// else can set. What the MCP server answers is passed on as it comes: streams
// unbuffered, errors unchanged.
//
// Live holds the policy, the keys and the revocations in force and takes new ones without
// dropping a request.
package sidecar
