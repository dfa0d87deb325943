// Package outboundtest is the outside world of tests, in memory and on loopback
// addresses: Names are what DNS says, a Site is what somebody publishes.
package outboundtest
