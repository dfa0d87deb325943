package injector

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestTheSidecarIsRestrictedByItself(t *testing.T) {
	data, err := json.Marshal(testConfig().withDefaults().container("mcp").SecurityContext)
	if err != nil {
		t.Fatal(err)
	}
	// What the Pod Security Standard "restricted" asks of a container whose pod
	// says nothing, and a file system that nothing can be written to.
	const want = `{"capabilities":{"drop":["ALL"]},"runAsUser":65532,"runAsGroup":65532,"runAsNonRoot":true,` +
		`"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false,"seccompProfile":{"type":"RuntimeDefault"}}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("security context (-want +got):\n%s", diff)
	}
}

func TestTheSidecarServesTheCertificateOfItsSecret(t *testing.T) {
	cfg := testConfig()
	cfg.TLSSecret = "todo-tls"
	pod := injectedBy(t, cfg)
	sidecar := findSidecar(pod)
	if got := sidecar.Args[len(sidecar.Args)-1]; got != "--tls-dir=/etc/mcpauth-tls" {
		t.Errorf("the last argument is %s", got)
	}
	mount := corev1.VolumeMount{Name: TLSVolumeName, MountPath: "/etc/mcpauth-tls", ReadOnly: true}
	if diff := cmp.Diff(mount, sidecar.VolumeMounts[len(sidecar.VolumeMounts)-1]); diff != "" {
		t.Errorf("mount of the certificate (-want +got):\n%s", diff)
	}
	required := false
	volume := corev1.Volume{Name: TLSVolumeName, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: "todo-tls", Optional: &required},
	}}
	if diff := cmp.Diff(volume, pod.Spec.Volumes[len(pod.Spec.Volumes)-1]); diff != "" {
		t.Errorf("volume of the certificate (-want +got):\n%s", diff)
	}
	if scheme := sidecar.ReadinessProbe.HTTPGet.Scheme; scheme != corev1.URISchemeHTTP {
		t.Errorf("the kubelet asks for readiness by %s; its port serves plain HTTP always", scheme)
	}
}

func TestTheSidecarHasTheResourcesThatItsConfigSays(t *testing.T) {
	if diff := cmp.Diff(memory("1Gi"), findSidecar(injectedBy(t, withResources(testConfig(), memory("1Gi")))).Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}
