// Package crash holds the tests that end the authorization server, and its database,
// without a warning: whatever was answered before has happened, whatever was not may
// be repeated, and nothing happens twice.
//
// The server runs in a process of its own, which is this test program again, and is
// killed while clients redeem codes and use refresh tokens.
package crash
