// Package profile shows with Linux' perf where all cores were while a load ran.
package profile
