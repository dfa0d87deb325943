package manifests

import "testing"

func TestLabelledDeployment(t *testing.T) {
	golden(t, "mcpserver_deployment", LabelledDeployment("apps", "todo", "todo"))
}

func TestLabelledStatefulSet(t *testing.T) {
	golden(t, "mcpserver_stateful_set", LabelledStatefulSet("apps", "todo", "todo"))
}

func TestLabelTakenBack(t *testing.T) {
	golden(t, "mcpserver_deployment_released", LabelledDeployment("apps", "todo", ""))
	golden(t, "mcpserver_stateful_set_released", LabelledStatefulSet("apps", "todo", ""))
}
