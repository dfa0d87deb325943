package oauth

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrorCode is a registered OAuth error code. Clients act on it; people read
// the description beside it.
type ErrorCode string

// The error codes this project sends, each with the document that defines it.
const (
	InvalidRequest          ErrorCode = "invalid_request"           // RFC 6749 §5.2
	InvalidClient           ErrorCode = "invalid_client"            // RFC 6749 §5.2
	InvalidGrant            ErrorCode = "invalid_grant"             // RFC 6749 §5.2
	UnauthorizedClient      ErrorCode = "unauthorized_client"       // RFC 6749 §5.2
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"    // RFC 6749 §5.2
	InvalidScope            ErrorCode = "invalid_scope"             // RFC 6749 §5.2
	AccessDenied            ErrorCode = "access_denied"             // RFC 6749 §4.1.2.1
	UnsupportedResponseType ErrorCode = "unsupported_response_type" // RFC 6749 §4.1.2.1
	ServerError             ErrorCode = "server_error"              // RFC 6749 §4.1.2.1
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"   // RFC 6749 §4.1.2.1
	InvalidTarget           ErrorCode = "invalid_target"            // RFC 8707 §2
	InvalidRedirectURI      ErrorCode = "invalid_redirect_uri"      // RFC 7591 §3.2.2
	InvalidClientMetadata   ErrorCode = "invalid_client_metadata"   // RFC 7591 §3.2.2
	InvalidToken            ErrorCode = "invalid_token"             // RFC 6750 §3.1
	InsufficientScope       ErrorCode = "insufficient_scope"        // RFC 6750 §3.1
	InvalidDPoPProof        ErrorCode = "invalid_dpop_proof"        // RFC 9449 §5
	UseDPoPNonce            ErrorCode = "use_dpop_nonce"            // RFC 9449 §8
	InvalidRequestURI       ErrorCode = "invalid_request_uri"       // RFC 9101 §7
	RequestNotSupported     ErrorCode = "request_not_supported"     // RFC 9101 §7
	LoginRequired           ErrorCode = "login_required"            // OpenID Connect Core §3.1.2.6
	ConsentRequired         ErrorCode = "consent_required"          // OpenID Connect Core §3.1.2.6
	InteractionRequired     ErrorCode = "interaction_required"      // OpenID Connect Core §3.1.2.6
)

// statuses are the HTTP statuses that differ from 400 Bad Request.
var statuses = map[ErrorCode]int{
	InvalidClient:          http.StatusUnauthorized,
	InvalidToken:           http.StatusUnauthorized,
	InsufficientScope:      http.StatusForbidden,
	AccessDenied:           http.StatusForbidden,
	ServerError:            http.StatusInternalServerError,
	TemporarilyUnavailable: http.StatusServiceUnavailable,
}

// Error is an OAuth error as a value: what a client is told (Code and
// Description) and, for the log alone, what caused it. The cause never reaches
// the wire.
type Error struct {
	Code        ErrorCode
	Description string
	// Status overrides the HTTP status that Code implies; zero means no override.
	Status int

	cause error
}

// Errorf makes an Error whose description says what to do about it. A %w verb
// keeps its operand as the cause; since the description is sent to strangers,
// wrap only errors whose text they may read, and use WithCause for the others.
func Errorf(code ErrorCode, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Description: err.Error(), cause: errors.Unwrap(err)}
}

// WithCause returns a copy that also carries cause, for logs only.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithStatus returns a copy answered with the given HTTP status.
func (e *Error) WithStatus(status int) *Error {
	c := *e
	c.Status = status
	return &c
}

// Error reads "code: description", with the cause behind it for logs.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Description
	if e.cause != nil {
		text += " (" + e.cause.Error() + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// HTTPStatus is Status, or what Code implies: 401 for invalid_client, 403 for
// insufficient_scope, 400 where no document says otherwise.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	if status, ok := statuses[e.Code]; ok {
		return status
	}
	return http.StatusBadRequest
}
