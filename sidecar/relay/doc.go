// Package relay carries requests to one HTTP/1.1 server over connections of its own,
// with less work than net/http's Transport and the same care.
//
// A Pool keeps connections. A request is written in one piece, by whoever makes it,
// and the answer is read by the same goroutine with net/http's own parser; there are
// no goroutines between the two. What is not needed in front of an MCP server is not
// here: no redirects, cookies, proxies, compression or HTTP/2.
//
// A connection is used again when an answer was read to its end and the server did
// not ask to close. Before that it is looked at: one that the server has closed
// meanwhile is dropped, so that no request is lost in it, and one on which more came
// than was asked for, so that no answer goes to somebody else. A request is never sent
// twice once it may have been received, unless its method is safe.
package relay
