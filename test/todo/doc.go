// Command todo is the sample MCP server: a task list over streamable HTTP, in
// memory, with the tools list_tasks, get_task, create_task and delete_task.
//
// It knows no OAuth. It stands for any MCP server that a team already has: what
// it learns about its caller, it learns from the identity headers that the
// sidecar in front of it sets.
//
//	/mcp      the MCP endpoint
//	/healthz  200 while the process serves
package main
