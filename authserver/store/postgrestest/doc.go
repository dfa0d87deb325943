// Package postgrestest runs a private PostgreSQL for tests and benchmarks: on a
// unix socket in a folder of its own, without TCP, durable as in production, and
// gone when its last user is.
//
// Start is for tests, StartInstance for programs. The server comes from the
// machine: from Debian's package, which root gets installed, or from the PATH.
package postgrestest
