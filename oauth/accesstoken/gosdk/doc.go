// Package gosdk tells the tools of a server that is built with the MCP Go SDK whose call
// they serve.
//
//	guard := &accesstoken.Guard{…}
//	mux.Handle("/mcp", gosdk.Handler(guard, mcp.NewStreamableHTTPHandler(…)))
//
//	func addTask(ctx context.Context, req *mcp.CallToolRequest, in task) (…) {
//		claims, ok := gosdk.Claims(req.Extra)
//		…
//	}
//
// Do not ask accesstoken.FromContext within a tool. The context of a stateful session
// is that of the request that began it, whoever calls now; Claims are those of the call.
// Handler also binds a session to its user: the SDK refuses its id to anybody else's
// token.
package gosdk
