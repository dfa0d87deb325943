package authserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/dpop"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const (
	purposeNonce = "authserver/dpop-nonce"
	// nonceLifetime is how long a client may use a nonce, and for how long a proof is
	// remembered at least.
	nonceLifetime = 5 * time.Minute
	// proofWindow is by how much a proof's time may differ from ours.
	proofWindow = time.Minute
)

// readKeyProof reads the DPoP proof of a request that has one (RFC 9449 §5). It
// changes nothing.
func (s *Server) readKeyProof(_ context.Context, t *tokenRequest) (err error) {
	t.key, err = s.keyProof(t.request, "/oauth/token", t.now)
	return err
}

// keyProof verifies a request's DPoP proof for one of the issuer's endpoints; nil
// where there is none. A client whose clock is wrong is given a nonce, which says
// when a proof was made better than its clock does (§8).
func (s *Server) keyProof(r *request, endpoint string, now time.Time) (*dpop.Proof, error) {
	if len(r.Header.Values("DPoP")) == 0 {
		return nil, nil
	}
	raw, err := dpop.FromRequest(r.Request)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidDPoPProof, "the request must carry one DPoP proof").WithCause(err)
	}
	ring := s.opts.Keys()
	proof, err := dpop.Verify(raw, dpop.Expectation{
		Method: http.MethodPost, URL: r.issuer.endpoint(endpoint), Now: now, Window: proofWindow,
		Nonce: func(nonce string) bool { return validNonce(ring, nonce, now) },
	})
	switch {
	case errors.Is(err, dpop.ErrTime), errors.Is(err, dpop.ErrNonce):
		return nil, oauth.Errorf(oauth.UseDPoPNonce, "the proof is too old or too new, or its nonce has expired; repeat it with the nonce in the DPoP-Nonce header").WithCause(err)
	case err != nil:
		return nil, oauth.Errorf(oauth.InvalidDPoPProof, "%s", proofAdvice(err)).WithCause(err)
	}
	return proof, nil
}

// proofAdvice says what is wrong with a proof in words that quote nothing of it.
func proofAdvice(err error) string {
	switch {
	case errors.Is(err, dpop.ErrMismatch):
		return "the DPoP proof is for another method, URL or key"
	case errors.Is(err, dpop.ErrSignature):
		return "the DPoP proof's signature does not hold"
	}
	return "the DPoP proof is not of RFC 9449's shape"
}

// bindKey demands a proof where resource, client or credential do, and makes sure
// that none is used twice at any replica.
func (s *Server) bindKey(ctx context.Context, t *tokenRequest) error {
	wanted := t.proved.KeyThumbprint
	switch {
	case t.key == nil && wanted != "":
		return oauth.Errorf(oauth.InvalidGrant, "this was granted to the holder of a key: send a DPoP proof of it")
	case t.key == nil && (t.resource.RequireDPoP || t.client.RequireDPoP):
		return oauth.Errorf(oauth.InvalidDPoPProof, "tokens for this resource or client are bound to a key: send a DPoP proof")
	case t.key == nil:
		return nil
	case wanted != "" && wanted != t.key.Thumbprint:
		return oauth.Errorf(oauth.InvalidGrant, "the DPoP proof is of another key than this was granted to")
	}
	return s.useProof(ctx, t.key, t.now)
}

func (s *Server) useProof(ctx context.Context, key *dpop.Proof, now time.Time) error {
	// With a nonce a proof is good for as long as the nonce, without one for its
	// window to both sides.
	fresh, err := s.opts.Store.UseOnce(ctx, credential.HashOf("dpop\n"+key.ReplayKey()), now.Add(nonceLifetime+2*proofWindow))
	if err != nil {
		return fmt.Errorf("remember a DPoP proof: %w", err)
	}
	if !fresh {
		return oauth.Errorf(oauth.InvalidDPoPProof, "the DPoP proof has been used before; make a new one for every request")
	}
	return nil
}

// writeTokenError adds a nonce for a client that needs one.
func (s *Server) writeTokenError(w http.ResponseWriter, t *tokenRequest, err error) {
	var refusal *oauth.Error
	if errors.As(err, &refusal) && refusal.Code == oauth.UseDPoPNonce {
		w.Header().Set("DPoP-Nonce", newNonce(s.opts.Keys(), t.now))
	}
	s.writeError(w, t.Request, err)
}

// newNonce is a time that we vouch for: nothing is kept for it, and every replica
// knows it.
func newNonce(ring *keyring.Ring, now time.Time) string {
	made := strconv.FormatInt(now.Unix(), 36)
	return made + "." + ring.MAC(purposeNonce, made)
}

func validNonce(ring *keyring.Ring, nonce string, now time.Time) bool {
	made, mac, ok := strings.Cut(nonce, ".")
	if !ok || !ring.VerifyMAC(purposeNonce, made, mac) {
		return false
	}
	seconds, err := strconv.ParseInt(made, 36, 64)
	age := now.Sub(time.Unix(seconds, 0))
	return err == nil && age >= -proofWindow && age < nonceLifetime
}
