package manifests

import "testing"

func TestService(t *testing.T) { golden(t, "authserver_service", Service(authorizationServer())) }
