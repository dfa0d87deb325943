// Package sidecar is the validating proxy in front of one MCP server: it answers
// OAuth's questions itself and lets through only what the policy allows.
//
//	/.well-known/oauth-protected-resource{path}   RFC 9728, to everybody
//	{path}, {path}/…                              POST, GET, DELETE, as below
//	everything else                               404, in JSON
//
// A request passes, in this order (ServeHTTP holds the list, a file each step):
//
//	route ▶ origin ▶ method ▶ token ▶ body ▶ headers ▶ policy ▶ identity ▶ upstream
//	                                                     └────────▶ audit ◀────┘
//
// A token that is bound to a key is taken with a DPoP proof of that key alone, in the
// Authorization scheme DPoP (RFC 9449 §7); one that is not bound is a bearer's, and
// refused where the policy demands keys.
//
// The client's token ends here. The MCP server hears who calls from the headers
// X-Mcp-Auth-Subject, -Email, -Client, -Scope and -Organization, which nobody
// else can set. What the MCP server answers is passed on as it comes: streams
// unbuffered, errors unchanged.
//
// Live holds the policy and the keys in force and takes new ones without
// dropping a request.
package sidecar
