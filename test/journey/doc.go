// Package journey is the story of a real MCP client: it discovers, registers,
// signs in, calls tools, is refused, asks for more, refreshes and signs out.
//
// Run tells the story step by step and checks each step. The client is the Go
// MCP SDK with its own OAuth support; it makes every discovery, registration
// and token request itself. The package plays the parts around it: the person
// at the browser (Browser, usable on its own), the loopback listener that
// receives the code, and an observer on the HTTP transport who knows which URLs
// the client really used.
//
//	 1 call without a token     401 and its challenge
//	 2 discover                 resource and server metadata
//	 3 register                 RFC 7591
//	 4 sign in and consent      the pages, as a browser sees them
//	 5 token                    code and PKCE verifier
//	 6 tools/list
//	 7 list_tasks               allowed
//	 8 create_task              403 insufficient_scope, and nothing happened
//	 9 create_task              allowed after consent to more
//	10 refresh                  both tokens are new
//	11 revoke                   refreshing fails with invalid_grant, and calling with 401
//
// Nothing that Run prints or returns holds a whole token, code or password.
package journey
