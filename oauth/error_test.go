package oauth

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

func TestErrorCodesHaveTheStatusesOfTheirDocuments(t *testing.T) {
	for code, want := range map[ErrorCode]int{
		InvalidRequest: http.StatusBadRequest, InvalidGrant: http.StatusBadRequest, InvalidScope: http.StatusBadRequest,
		InvalidTarget: http.StatusBadRequest, UnsupportedGrantType: http.StatusBadRequest, InvalidRedirectURI: http.StatusBadRequest,
		InvalidClient: http.StatusUnauthorized, InvalidToken: http.StatusUnauthorized,
		InsufficientScope: http.StatusForbidden, AccessDenied: http.StatusForbidden,
		ServerError: http.StatusInternalServerError, TemporarilyUnavailable: http.StatusServiceUnavailable,
		"made_up": http.StatusBadRequest,
	} {
		if got := Errorf(code, "x").HTTPStatus(); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
	if got := Errorf(InvalidRequest, "x").WithStatus(http.StatusRequestEntityTooLarge).HTTPStatus(); got != http.StatusRequestEntityTooLarge {
		t.Errorf("an override: got %d", got)
	}
}

func TestACauseIsForLogsAndNeverPartOfTheDescription(t *testing.T) {
	plain := Errorf(ServerError, "try again later")
	err := plain.WithCause(io.ErrUnexpectedEOF)
	if err.Description != "try again later" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got description %q, cause %v", err.Description, err.Unwrap())
	}
	if got, want := err.Error(), "server_error: try again later (unexpected EOF)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if plain.Unwrap() != nil || plain.Error() != "server_error: try again later" {
		t.Errorf("WithCause changed its receiver: %v", plain)
	}
}

func TestErrorfKeepsAWrappedErrorAsItsCause(t *testing.T) {
	err := Errorf(InvalidRequest, "read the form: %w", io.EOF)
	if !errors.Is(err, io.EOF) || err.Description != "read the form: EOF" {
		t.Errorf("got %q, cause %v", err.Description, err.Unwrap())
	}
	var target *Error
	if wrapped := errors.Join(errors.New("other"), err); !errors.As(wrapped, &target) || target.Code != InvalidRequest {
		t.Error("it is not found in a joined error")
	}
}
