package manifests

import "testing"

func TestDeployment(t *testing.T) {
	golden(t, "authserver_deployment", Deployment(authorizationServer(), "mcpauth/authserver:dev"))
}

func TestDeploymentOnPostgreSQL(t *testing.T) {
	golden(t, "authserver_deployment_postgresql", Deployment(postgreSQLAuthorizationServer(), "mcpauth/authserver:dev"))
}

func TestSQLiteHasOneReplicaWhateverIsWished(t *testing.T) {
	s, many := authorizationServer(), int32(3)
	s.Spec.Replicas = &many
	if got := *Deployment(s, "x").Spec.Replicas; got != 1 {
		t.Errorf("%d replicas, want 1", got)
	}
}
