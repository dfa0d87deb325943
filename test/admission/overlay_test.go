package admission

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rendered is what kustomize makes of a folder of config.
func (c *cluster) rendered(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	kubectl := c.environment.ControlPlane.KubectlPath
	var problems bytes.Buffer
	command := exec.Command(kubectl, "kustomize", filepath.Join("..", "..", "config", folder))
	command.Stderr = &problems
	text, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize config/%s: %v\n%s", folder, err, problems.String())
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

func find(t *testing.T, objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	if i < 0 {
		return nil
	}
	return objects[i]
}

func TestTheOverlayForCertManagerGivesTheWebhookACertificateThatItRenews(t *testing.T) {
	c := start(t)
	objects := c.rendered(t, "certmanager")

	var operator appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(find(t, objects, "Deployment", "mcpauth-operator").Object, &operator); err != nil {
		t.Fatal(err)
	}
	certificate := find(t, objects, "Certificate", "mcpauth-webhook")
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	spec := operator.Spec.Template.Spec
	mounted := slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		return v.Name == "webhook-certificate" && v.Secret != nil && v.Secret.SecretName == secret
	})
	mount := slices.IndexFunc(spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "webhook-certificate" && m.ReadOnly })
	if !mounted || mount < 0 {
		t.Fatalf("the operator does not mount Secret %q: volumes %v, mounts %v", secret, spec.Volumes, spec.Containers[0].VolumeMounts)
	}
	if flag := "--webhook-cert-dir=" + spec.Containers[0].VolumeMounts[mount].MountPath; !slices.Contains(spec.Containers[0].Args, flag) {
		t.Errorf("the operator's arguments %q lack %s", spec.Containers[0].Args, flag)
	}
	if len(spec.Volumes) != 2 || len(spec.Containers[0].Args) != 4 {
		t.Errorf("the overlay replaces volumes or arguments instead of adding to them: %v, %q", spec.Volumes, spec.Containers[0].Args)
	}

	source := find(t, objects, "MutatingWebhookConfiguration", "mcpauth-injector").GetAnnotations()["cert-manager.io/inject-ca-from"]
	if want := certificate.GetNamespace() + "/" + certificate.GetName(); source != want {
		t.Errorf("the API server trusts the authority of %q, want that of %q", source, want)
	}
	service := find(t, objects, "Service", "mcpauth-webhook")
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	if want := service.GetName() + "." + service.GetNamespace() + ".svc"; !slices.Contains(names, want) {
		t.Errorf("the certificate is for %q, the API server asks for %s", names, want)
	}
	issuer, _, _ := unstructured.NestedString(certificate.Object, "spec", "issuerRef", "name")
	if find(t, objects, "Issuer", issuer) == nil {
		t.Errorf("there is no Issuer %q", issuer)
	}
	if find(t, objects, "Secret", "mcpauth-webhook-cert") != nil {
		t.Error("the Secret that the operator fills by itself is installed still")
	}
}

// TestBothInstallationsAreAcceptedByTheAPIServer leaves out what needs cert-manager's
// own definitions.
func TestBothInstallationsAreAcceptedByTheAPIServer(t *testing.T) {
	c := start(t)
	home := &corev1.Namespace{}
	home.Name = "mcpauth-system"
	if err := c.Create(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"default", "certmanager"} {
		t.Run(folder, func(t *testing.T) {
			policies := 0
			for _, object := range c.rendered(t, folder) {
				if object.GroupVersionKind().Group == "cert-manager.io" {
					continue
				}
				if object.GetKind() == "ValidatingAdmissionPolicy" {
					policies++
				}
				if object.GetKind() == "MutatingWebhookConfiguration" {
					object.SetName("as-rendered") // the tests' own calls a URL
				}
				err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.DryRunAll, client.ForceOwnership, client.FieldOwner("kubectl"))
				if err != nil {
					t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
				}
			}
			if policies != 3 {
				t.Errorf("%d ValidatingAdmissionPolicies are installed, want 3", policies)
			}
		})
	}
}
