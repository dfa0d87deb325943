// Package dev serves manifests without a cluster, in one process: an
// authorization server on the address of each AuthorizationServer's issuer and a
// sidecar on the address of each MCPServer's URL.
//
// It is for building and trying out an MCP server on one's own machine. The same
// compiler, server and sidecar run as in a cluster; what an operator would keep in
// Secrets and volumes is kept in a folder, or in memory.
package dev
