package manifests

import (
	"bytes"
	"testing"

	"github.com/mcpauth/mcpauth/oauth/credential"
)

func TestMirror(t *testing.T) {
	golden(t, "oauthclient_mirror", Mirror(oauthClient(), compiledClient(), credential.HashOf("old"), credential.HashOf("new")))
}

func TestMirrorHoldsNoSecret(t *testing.T) {
	secret := credential.NewSecret()
	mirror := Mirror(oauthClient(), compiledClient(), credential.HashOf(secret))
	if bytes.Contains(mirror.Data[MirrorHashes], []byte(secret)) {
		t.Error("the mirror holds the secret itself")
	}
}
