package manifests

import "testing"

func TestPolicyConfigMap(t *testing.T) {
	golden(t, "mcpserver_policy", PolicyConfigMap(mcpServer(), []byte("{\n  \"version\": 1\n}\n")))
}
