package authserver

import (
	"strconv"
	"strings"

	"github.com/mcpauth/mcpauth/authserver/store"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const (
	refreshPrefix  = "mcprt_"
	purposeRefresh = "authserver/refresh"
	// maxRefreshTokenLength is beyond any that we made, in bytes.
	maxRefreshTokenLength = 512
)

// refreshToken is what a refresh token says: it is derived from the grant and
// its generation, so that nothing has to be kept for it and a repeated rotation
// gives the same successor.
//
//	mcprt_<grant id>.<generation>.<MAC over grant id, generation and client id>
//
// It lives no longer than the sealing key that authenticates it.
type refreshToken struct {
	grantID    string
	generation int64
}

func (t refreshToken) message(clientID string) string {
	return t.grantID + "\n" + strconv.FormatInt(t.generation, 10) + "\n" + clientID
}

// makeRefreshToken is the grant's newest refresh token.
func makeRefreshToken(ring *keyring.Ring, g store.Grant) string {
	t := refreshToken{grantID: g.ID, generation: g.Generation}
	return refreshPrefix + t.grantID + "." + strconv.FormatInt(t.generation, 10) + "." +
		ring.MAC(purposeRefresh, t.message(g.ClientID))
}

// readRefreshToken reports whether raw is a refresh token that we made for the
// client, whatever has become of it since.
func readRefreshToken(ring *keyring.Ring, raw, clientID string) (refreshToken, bool) {
	text, ok := strings.CutPrefix(raw, refreshPrefix)
	if !ok || len(raw) > maxRefreshTokenLength {
		return refreshToken{}, false
	}
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 {
		return refreshToken{}, false
	}
	generation, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || strconv.FormatInt(generation, 10) != parts[1] {
		return refreshToken{}, false
	}
	t := refreshToken{grantID: parts[0], generation: generation}
	return t, ring.VerifyMAC(purposeRefresh, t.message(clientID), parts[2])
}
