// Package journeytest is a small world for testing MCP clients: an authorization
// server, and a protected todo server, on loopback ports.
//
// It does what the clients' specifications ask of both and nothing more: tokens
// are random strings in a map, and one user exists. Faults break one promise at
// a time, so that tests can see a client notice. It is no model for a real
// authorization server.
package journeytest
