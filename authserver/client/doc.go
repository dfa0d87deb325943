// Package client answers two questions about whoever calls the authorization
// server: who is this client id (Resolver.Resolve), and has it proved so
// (Resolver.Authenticate).
//
// Clients come from the catalog, where an OAuthClient declared them, or from the
// store, where they registered themselves; the rest of the server sees one
// Client and cannot tell where a rule came from.
package client
