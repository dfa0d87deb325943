// Package replicas tests that several authorization servers on one PostgreSQL are
// one: what one of them began another ends, and what may happen once happens once
// over all of them.
//
// Each replica is a process of its own, the test program started again; they share
// nothing but the database and the key ring. In front of them is a proxy that gives
// every request to the next one, so that a client never meets the same replica
// twice in a row.
package replicas
