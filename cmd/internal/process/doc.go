// Package process is what the commands share of being a process: logs, health,
// listening with bounds, and stopping gracefully.
package process
