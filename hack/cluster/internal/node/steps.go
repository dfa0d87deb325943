//go:build linux

package node

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Steps prints what a command does, a line for each step with the time that it took. It is safe
// for concurrent use.
type Steps struct {
	// W receives the lines.
	W io.Writer
	// Now reads the clock.
	Now func() time.Time

	mu sync.Mutex
}

// Begin starts the time of a step; the returned function prints its line.
func (s *Steps) Begin(what string) (done func(outcome string)) {
	began := s.Now()
	return func(outcome string) {
		s.Line(what, fmt.Sprintf("%-46s %5.1fs", outcome, s.Now().Sub(began).Seconds()))
	}
}

// Line prints a line without a time.
func (s *Steps) Line(what, outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.W, "  %-14s %s\n", what, outcome)
}

// Title prints the first line of a command.
func (s *Steps) Title(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.W, text)
}
