// Package outbound is HTTP to addresses that strangers wrote: metadata documents
// and key sets of clients. What such an address can make us do is bounded:
//
//   - a GET by https to port 443, never by a proxy, never with a credential;
//   - to a public address alone. The address is checked when it is dialled, after
//     DNS, so that a name which changes its answer changes nothing (RFC 6890 names
//     the ranges that are not public);
//   - one answer, since nothing is redirected, bounded in time and size.
//
// Hosts that the operator of this installation named (Options.PrivateHosts) may be
// on private or loopback addresses, on any port and without TLS.
//
// Client.Get fetches a document; Client.Transport does the same below a caller
// that brings its own http.Client. A Cache keeps what was made of documents and
// bounds how often strangers can have us fetch.
package outbound
