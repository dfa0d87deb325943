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
//	mcprt_<grant id>.<generation>[~<thumbprint>].<MAC over these and the client id>
//
// The thumbprint is of the key that a public client proved when it got the token
// and has to prove again to use it (RFC 9449 §5). A refresh token lives no longer
// than the sealing key that authenticates it.
type refreshToken struct {
	grantID    string
	generation int64
	thumbprint string
}

func (t refreshToken) text() string {
	text := t.grantID + "." + strconv.FormatInt(t.generation, 10)
	if t.thumbprint != "" {
		text += "~" + t.thumbprint
	}
	return text
}

func (t refreshToken) message(clientID string) string {
	message := t.grantID + "\n" + strconv.FormatInt(t.generation, 10) + "\n" + clientID
	if t.thumbprint != "" {
		message += "\n" + t.thumbprint
	}
	return message
}

// makeRefreshToken is the grant's newest refresh token, bound to a key where
// thumbprint names one.
func makeRefreshToken(ring *keyring.Ring, g store.Grant, thumbprint string) string {
	t := refreshToken{grantID: g.ID, generation: g.Generation, thumbprint: thumbprint}
	return refreshPrefix + t.text() + "." + ring.MAC(purposeRefresh, t.message(g.ClientID))
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
	number, thumbprint, _ := strings.Cut(parts[1], "~")
	generation, err := strconv.ParseInt(number, 10, 64)
	t := refreshToken{grantID: parts[0], generation: generation, thumbprint: thumbprint}
	if err != nil || t.text() != parts[0]+"."+parts[1] {
		return refreshToken{}, false
	}
	return t, ring.VerifyMAC(purposeRefresh, t.message(clientID), parts[2])
}
