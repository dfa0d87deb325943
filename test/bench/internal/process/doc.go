// Package process runs the commands that are measured, with their logs in files, as
// a container's are. It needs Linux.
package process
