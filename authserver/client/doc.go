// Package client answers two questions about whoever calls the authorization
// server: who is this client id (Resolver.Resolve), and has it proved so
// (Resolver.Authenticate).
//
// Clients come from three places, which a Client's Origin names; the rest of the
// server sees one Client and cannot tell where a rule came from:
//
//	Declared    the catalog, where an OAuthClient declared them
//	Registered  the store, where they registered themselves (RFC 7591)
//	Document    an https URL that is their id and has their metadata
//	            (draft-ietf-oauth-client-id-metadata-document-02)
//
// A Directory lives as long as the server and keeps what it fetched: documents and
// key sets. A Resolver is the directory under one catalog snapshot, cheap to make.
// All that strangers can have us fetch goes through package outbound.
package client
