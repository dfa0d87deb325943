// Package stage sets the stage in a cluster: mcpauth installed, the samples
// applied and ready, and both reached from this machine as a user with kubectl
// reaches them. The demo and the end-to-end tests play on it.
package stage
