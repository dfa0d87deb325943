// Package interop holds mcpauth against clients that other people wrote, as npm
// ships them (see test/clients), without hands: where a client opens a browser,
// the tests are the browser.
//
//	conformance    the official suite for authorization servers
//	oauth4webapi   every flow, each answer held to its RFC
//	mcp-remote     sign-in, reuse and refresh, over its standard input and output
//	Inspector      sign-in, reuse and step-up, as its command line does them
//
// The first two run against an authorization server alone, the others against
// the command "mcpauth dev" with the sample manifests and the sample MCP server.
package interop
