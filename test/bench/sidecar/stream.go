//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// streamPatience is how long the first event of a stream may take.
const streamPatience = 10 * time.Second

// stream is an open event stream, whose first event has come.
type stream struct {
	net.Conn
	// first is how long after the request that was.
	first time.Duration
}

// open opens a stream on a connection of its own.
func open(ctx context.Context, address string, request []byte) (_ *stream, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	s := &stream{Conn: conn}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open a stream: %w", err), s.Close())
		}
	}()
	if err := s.SetDeadline(time.Now().Add(streamPatience)); err != nil {
		return nil, err
	}
	begun := time.Now()
	if _, err := s.Write(request); err != nil {
		return nil, err
	}
	if err := s.awaitEvent(); err != nil {
		return nil, err
	}
	s.first = time.Since(begun)
	return s, s.SetDeadline(time.Time{})
}

var (
	goodStatus = []byte("HTTP/1.1 200 ")
	eventData  = []byte("\ndata: ")
)

// awaitEvent reads until an event has begun, and forgets what it has read.
func (s *stream) awaitEvent() error {
	buffer := make([]byte, 8<<10)
	for filled := 0; filled < len(buffer); {
		n, err := s.Read(buffer[filled:])
		if err != nil {
			return err
		}
		filled += n
		read := buffer[:filled]
		switch {
		case filled >= len(goodStatus) && !bytes.HasPrefix(read, goodStatus):
			return fmt.Errorf("the answer begins with %.200q", read)
		case bytes.Contains(read, eventData):
			return nil
		}
	}
	return fmt.Errorf("no event has come within %d bytes", len(buffer))
}
