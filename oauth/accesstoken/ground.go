package accesstoken

import (
	"errors"
	"net/http"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/dpop"
)

// ground is why a request is refused.
type ground int

const (
	nothing ground = iota
	noToken
	twoHeaders
	notOneToken
	sentTwice
	invalid
	expired
	notYet
	foreign
	otherIssuer
	revoked
	boundAsBearer
	notBound
	unboundAsDPoP
	noProof
	proofMismatch
	proofTime
	proofReplayed
	proofInvalid
	noKeys
	noRevocations
	tooManyProofs
)

// grounds are the closed set of what clients are told.
var grounds = [...]struct {
	status int
	code   oauth.ErrorCode
	says   string
}{
	nothing:       {},
	noToken:       {http.StatusUnauthorized, "", "this server needs an access token"},
	twoHeaders:    {http.StatusBadRequest, oauth.InvalidRequest, "there is more than one Authorization header"},
	notOneToken:   {http.StatusBadRequest, oauth.InvalidRequest, "the Authorization header is not one bearer token"},
	sentTwice:     {http.StatusBadRequest, oauth.InvalidRequest, "the token was sent in more than one way; send it in the Authorization header alone"},
	invalid:       {http.StatusUnauthorized, oauth.InvalidToken, "the access token is invalid"},
	expired:       {http.StatusUnauthorized, oauth.InvalidToken, "the access token has expired"},
	notYet:        {http.StatusUnauthorized, oauth.InvalidToken, "the access token is not valid yet"},
	foreign:       {http.StatusUnauthorized, oauth.InvalidToken, "the access token is for another resource"},
	otherIssuer:   {http.StatusUnauthorized, oauth.InvalidToken, "the access token is from another issuer"},
	revoked:       {http.StatusUnauthorized, oauth.InvalidToken, "the access token was revoked"},
	boundAsBearer: {http.StatusUnauthorized, oauth.InvalidToken, "the access token is bound to a key; send it with the DPoP scheme and a proof"},
	notBound:      {http.StatusUnauthorized, oauth.InvalidToken, "this server takes access tokens that are bound to a key alone; ask for one with a DPoP proof"},
	unboundAsDPoP: {http.StatusUnauthorized, oauth.InvalidToken, "the access token is not bound to a key; send it with the Bearer scheme"},
	noProof:       {http.StatusUnauthorized, oauth.InvalidDPoPProof, "the access token is bound to a key and the request has no DPoP proof"},
	proofMismatch: {http.StatusUnauthorized, oauth.InvalidDPoPProof, "the DPoP proof is for another method, URL, access token or key"},
	proofTime:     {http.StatusUnauthorized, oauth.InvalidDPoPProof, "the DPoP proof was made too long ago or in the future; is the clock right?"},
	proofReplayed: {http.StatusUnauthorized, oauth.InvalidDPoPProof, "the DPoP proof was used before; make a new one for every request"},
	proofInvalid:  {http.StatusUnauthorized, oauth.InvalidDPoPProof, "the DPoP proof is invalid"},
	noKeys:        {http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "the authorization server's keys are not known at the moment"},
	noRevocations: {http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "which access tokens were revoked is not known at the moment"},
	tooManyProofs: {http.StatusServiceUnavailable, oauth.TemporarilyUnavailable, "too many proofs were used in a short time"},
}

// groundOf is why Verify refused a token.
func groundOf(err error) ground {
	switch {
	case errors.Is(err, ErrKeysUnavailable):
		return noKeys
	case errors.Is(err, ErrRevocationsUnavailable):
		return noRevocations
	case errors.Is(err, ErrExpired):
		return expired
	case errors.Is(err, ErrNotYet):
		return notYet
	case errors.Is(err, ErrAudience):
		return foreign
	case errors.Is(err, ErrIssuer):
		return otherIssuer
	case errors.Is(err, ErrRevoked):
		return revoked
	default:
		return invalid
	}
}

// groundOfProof is why a proof was refused.
func groundOfProof(err error) ground {
	switch {
	case errors.Is(err, dpop.ErrBusy):
		return tooManyProofs
	case errors.Is(err, dpop.ErrMissing):
		return noProof
	case errors.Is(err, dpop.ErrMismatch):
		return proofMismatch
	case errors.Is(err, dpop.ErrTime):
		return proofTime
	case errors.Is(err, dpop.ErrReplayed):
		return proofReplayed
	default:
		return proofInvalid
	}
}
