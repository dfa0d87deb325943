package manifests

import "testing"

func TestDeployment(t *testing.T) {
	golden(t, "authserver_deployment", Deployment(authorizationServer(), "mcpauth/authserver:dev"))
}
