package manifests

import "testing"

func TestRole(t *testing.T) { golden(t, "authserver_role", Role(authorizationServer())) }

func TestRoleBinding(t *testing.T) {
	golden(t, "authserver_role_binding", RoleBinding(authorizationServer()))
}

func TestClusterRoleBinding(t *testing.T) {
	golden(t, "authserver_cluster_role_binding", ClusterRoleBinding(authorizationServer()))
}
