package manifests

import "testing"

func TestServiceAccount(t *testing.T) {
	golden(t, "authserver_account", ServiceAccount(authorizationServer()))
}
