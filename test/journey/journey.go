package journey

import (
	"context"
	"errors"
	"fmt"
)

// StepError is the step of a journey that did not hold, in words fit for people:
// secrets are cut short in all of its fields.
type StepError struct {
	// Number counts from 1; Title says what the client was about to do.
	Number int
	Title  string
	// Want is what should have happened, Got is what did.
	Want, Got string

	cause error
}

// Error reads as one line.
func (e *StepError) Error() string {
	return fmt.Sprintf("step %d (%s): expected %s, got %s", e.Number, e.Title, e.Want, e.Got)
}

// Unwrap returns the error below, if there was one. Its text may hold secrets.
func (e *StepError) Unwrap() error { return e.cause }

// Run makes the journey and tells it. The error is nil if every step held, else
// a *StepError for the step that did not (or what is wrong with opts).
func Run(ctx context.Context, opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	s, err := newStory(opts)
	if err != nil {
		return err
	}
	defer s.client.close()
	s.out.title("The journey of an MCP client to " + opts.MCPURL)
	for i, step := range s.steps() {
		s.out.step(i+1, step.title)
		if err := s.take(ctx, step); err != nil {
			return s.fail(i+1, step.title, err)
		}
	}
	s.out.end("Every step held.")
	return nil
}

type step struct {
	title string
	run   func(context.Context) (done string, err error)
}

// steps is the journey; each step relies on what those before it left in story.
func (s *story) steps() []step {
	return []step{
		{"Call without a token", s.callWithoutToken},
		{"Discover who may issue one", s.discover},
		{"Register the client", s.register},
		{"Sign in and consent", s.authorize},
		{"Exchange the code for a token", s.token},
		{"List the tools", s.listTools},
		{"Call list_tasks, which the scopes allow", s.callAllowed},
		{"Call create_task, which they do not", s.callRefused},
		{"Ask for more and call it again", s.stepUp},
		{"Refresh", s.refresh},
		{"Revoke", s.revoke},
	}
}

func (s *story) take(ctx context.Context, step step) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.StepTimeout)
	defer cancel()
	done, err := step.run(ctx)
	var passed passedOver
	switch {
	case errors.As(err, &passed):
		s.out.skipped(string(passed))
		return nil
	case err != nil:
		return err
	}
	s.out.done(done)
	return nil
}

func (s *story) fail(number int, title string, err error) error {
	failure := &StepError{Number: number, Title: title, Want: "no error", Got: s.client.watch.hide(err.Error()), cause: err}
	var m *mismatch
	if errors.As(err, &m) {
		failure.Want, failure.Got = s.client.watch.hide(m.want), s.client.watch.hide(m.got)
	}
	s.out.failed(failure.Want, failure.Got)
	return failure
}

// mismatch is an expectation that did not hold.
type mismatch struct {
	want, got string
	cause     error
}

func (m *mismatch) Error() string { return "expected " + m.want + ", got " + m.got }
func (m *mismatch) Unwrap() error { return m.cause }

// expected makes a mismatch; cause, where there is one, is part of what came.
func expected(want, got string, cause error) error {
	if cause != nil && got == "" {
		got = cause.Error()
	} else if cause != nil {
		got += ": " + cause.Error()
	}
	return &mismatch{want: want, got: got, cause: cause}
}

// passedOver says why a step was not taken.
type passedOver string

func (p passedOver) Error() string { return string(p) }
