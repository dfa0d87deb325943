package client

import (
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/oauth/outbound"
)

// DocumentError says why a client that is a metadata document cannot be served.
type DocumentError struct {
	// ID is the client id, the document's URL.
	ID string
	// Reason says what is wrong and what to do, for the error page. It never quotes
	// the document.
	Reason string
	// Temporary says that another attempt may succeed.
	Temporary bool

	cause error
}

// Error is text for the error page.
func (e *DocumentError) Error() string {
	return "the metadata document of the app that sent you here cannot be used: " + e.Reason
}

// Unwrap returns the cause, for logs alone.
func (e *DocumentError) Unwrap() error { return e.cause }

const (
	askPublisher = "; whoever publishes the app has to correct that"
	askOperators = "; ask the operators of this server"
)

// newDocumentError finds words for why a document could not be had or read.
func newDocumentError(id string, err error) *DocumentError {
	e := &DocumentError{ID: id, Temporary: outbound.Transient(err), cause: err}
	var status *outbound.StatusError
	var wrong fault
	switch {
	case errors.As(err, &wrong):
		e.Reason = wrong.Error() + askPublisher
	case errors.Is(err, outbound.ErrBusy):
		e.Reason = "too many apps are being looked up; try again in a minute"
	case errors.As(err, &status) && e.Temporary:
		e.Reason = fmt.Sprintf("its host answers with status %d; try again later", status.Status)
	case errors.As(err, &status):
		e.Reason = fmt.Sprintf("its URL answers with status %d instead of 200", status.Status) + askPublisher
	case errors.Is(err, outbound.ErrTooLarge):
		e.Reason = fmt.Sprintf("it is larger than %d KiB", maxDocument>>10) + askPublisher
	case errors.Is(err, outbound.ErrURL), errors.Is(err, outbound.ErrForbiddenAddress):
		e.Reason = "its URL is not at a public https address, and its host is none that this server was told of" + askOperators
	default:
		e.Reason = "its host did not answer in time, or not securely; try again later"
	}
	return e
}
