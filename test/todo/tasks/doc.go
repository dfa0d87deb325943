// Package tasks is the sample task list and the MCP server in front of it.
//
// Store holds the tasks in memory, Server offers them as four MCP tools. Whose
// task it is comes from the identity headers that the sidecar sets; without a
// sidecar nobody owns anything. Every caller sees every task: the sample shows
// authorization by scope, which is the sidecar's, and keeps out its own.
package tasks
