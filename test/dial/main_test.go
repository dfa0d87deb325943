package main

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestDialTellsAnOpenPortFromAClosedOne(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := dial(address); err != nil {
		t.Errorf("a port that listens: %v", err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := dial(address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port that does not listen: %v, want a refusal", err)
	}
}
