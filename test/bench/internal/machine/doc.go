// Package machine describes the machine that a benchmark runs on, and counts what
// its cores do. It reads Linux' /proc.
package machine
