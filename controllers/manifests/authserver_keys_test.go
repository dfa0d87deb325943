package manifests

import "testing"

func TestKeySecret(t *testing.T) {
	golden(t, "authserver_keys", KeySecret(authorizationServer(), []byte(`{"signing":[]}`)))
}
