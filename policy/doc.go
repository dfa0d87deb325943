// Package policy is what a sidecar enforces: for one MCP server, whose tokens
// are good and which scope opens which operation.
//
// The compiler writes a Policy, a ConfigMap carries it as JSON, the sidecar
// decodes it and asks Decide for every JSON-RPC message. The rules are those of
// a NetworkPolicy: where no scope names operations every valid token may do
// everything; as soon as one does, an operation that none names is refused,
// unless UnmatchedOperations says Allow. What begins and keeps a session
// (initialize, server/discover, ping, notifications) needs a valid token only, and so
// do lists, tasks and logging as long as no scope names these methods.
package policy
