package manifests

import (
	"testing"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

func TestStampedDeployment(t *testing.T) {
	golden(t, "mcpserver_deployment", StampedDeployment("apps", "todo", Stamp{Server: "todo"}))
	golden(t, "mcpserver_deployment_rolled_out", StampedDeployment("apps", "todo", Stamp{Server: "todo", Sidecar: "0123456789abcdef"}))
}

func TestStampedStatefulSet(t *testing.T) {
	golden(t, "mcpserver_stateful_set", StampedStatefulSet("apps", "todo", Stamp{Server: "todo"}))
	golden(t, "mcpserver_stateful_set_rolled_out", StampedStatefulSet("apps", "todo", Stamp{Sidecar: "0123456789abcdef"}))
}

func TestStampTakenBack(t *testing.T) {
	golden(t, "mcpserver_deployment_released", StampedDeployment("apps", "todo", Stamp{}))
	golden(t, "mcpserver_stateful_set_released", StampedStatefulSet("apps", "todo", Stamp{}))
}

func TestAStampIsReadAsItWasWritten(t *testing.T) {
	for _, want := range []Stamp{{}, {Server: "todo"}, {Sidecar: "abc"}, {Server: "todo", Sidecar: "abc"}} {
		if got := StampOf(want.template()); got != want {
			t.Errorf("StampOf = %+v, want %+v", got, want)
		}
	}
	if got := StampOf(nil); got != (Stamp{}) {
		t.Errorf("StampOf(nil) = %+v", got)
	}
	if got := StampOf(corev1ac.PodTemplateSpec().WithLabels(map[string]string{"app": "todo"})); got != (Stamp{}) {
		t.Errorf("StampOf with the labels of others = %+v", got)
	}
}
