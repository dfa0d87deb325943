package outbound

import (
	"errors"
	"fmt"
	"net/http"
)

// The reasons for which a document could not be had.
var (
	// ErrURL says that the URL is none that is ever fetched.
	ErrURL = errors.New("the URL cannot be fetched from here")
	// ErrForbiddenAddress says that the host is at an address that is not public.
	ErrForbiddenAddress = errors.New("the host's address is not a public one")
	// ErrUnreachable says that there was no answer, or not all of it in time.
	ErrUnreachable = errors.New("the host did not answer")
	// ErrStatus says that the answer was not 200; it comes as a *StatusError.
	ErrStatus = errors.New("the answer is not 200")
	// ErrTooLarge says that the answer is beyond its bound.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrBusy says that strangers have had too much fetched lately.
	ErrBusy = errors.New("too many documents were asked for; try again in a minute")
)

// errTrouble is what a *StatusError is where its server is in trouble.
var errTrouble = errors.New("the server is in trouble")

// StatusError is an answer other than 200. It is an ErrStatus.
type StatusError struct {
	Status int
}

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("%s but %d", ErrStatus, e.Status) }

// Is makes it an ErrStatus.
func (e *StatusError) Is(target error) bool {
	return target == ErrStatus || target == errTrouble && e.inTrouble()
}

func (e *StatusError) inTrouble() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500
}

// failure sorts what went wrong below HTTP.
func failure(doing string, err error) error {
	for _, known := range []error{ErrForbiddenAddress, ErrTooLarge} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnreachable, err)
}

// Transient reports whether a failure says nothing of the document itself, so
// that another attempt may succeed: no answer, one of a server in trouble, or our
// own bound. Everything else is the doing of whoever publishes it.
func Transient(err error) bool {
	return errors.Is(err, ErrUnreachable) || errors.Is(err, errTrouble) || errors.Is(err, ErrBusy)
}
