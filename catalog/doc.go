// Package catalog is the plain model of what one authorization server serves:
// its protected resources with their scopes, the clients that were registered
// for it beforehand, and the identity providers that sign its users in.
//
// The compiler makes a Catalog out of custom resources; the authorization server
// answers every request from one snapshot and swaps the whole of it when the
// wishes change. A Catalog and all that it hands out are immutable.
package catalog
