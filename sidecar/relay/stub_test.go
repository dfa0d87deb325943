package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stub is a connection that fails as it is told.
type stub struct {
	net.Conn
	readErr, writeErr error
	closed            atomic.Bool
}

func (s *stub) Read([]byte) (int, error) { return 0, s.readErr }
func (s *stub) Write(b []byte) (int, error) {
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	return len(b), nil
}
func (s *stub) SetDeadline(time.Time) error { return nil }
func (s *stub) Close() error {
	if s.closed.Swap(true) {
		return errors.New("closed twice")
	}
	return nil
}

// early is a connection on which an answer has come before the request is written, and
// that needs its time to let go of what is being written.
type early struct {
	net.Conn
	answer  io.Reader
	fails   bool
	closed  chan struct{}
	letGo   atomic.Bool
	closing sync.Once
}

func (e *early) Read(b []byte) (int, error) { return e.answer.Read(b) }
func (e *early) Write([]byte) (int, error) {
	if !e.fails {
		<-e.closed
		time.Sleep(20 * time.Millisecond)
	}
	e.letGo.Store(true)
	return 0, syscall.EPIPE
}
func (e *early) SetDeadline(time.Time) error { return nil }
func (e *early) Close() error {
	e.closing.Do(func() { close(e.closed) })
	return nil
}
