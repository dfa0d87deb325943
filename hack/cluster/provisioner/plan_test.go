package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// waiting returns a claim that waits for a volume, changed by the case.
func waiting(change func(*claim)) claim {
	c := claim{Metadata: metadata{
		Name: "data", Namespace: "apps", UID: "u1",
		Annotations: map[string]string{annotationProvisioner: provisionerName, annotationSelectedNode: "mcpauth"},
	}}
	c.Spec.AccessModes = []string{"ReadWriteOnce"}
	c.Spec.StorageClassName = "standard"
	c.Spec.Resources.Requests = map[string]string{"storage": "1Gi"}
	c.Status.Phase = "Pending"
	if change != nil {
		change(&c)
	}
	return c
}

func existing(name, phase, by string) volume {
	v := volume{Metadata: metadata{Name: name, Annotations: map[string]string{annotationProvisionedBy: by}}}
	v.Status.Phase = phase
	return v
}

func TestPlanProvidesForAClaimThatWaits(t *testing.T) {
	cases := []struct {
		name    string
		claim   claim
		volumes []volume
		want    bool
	}{
		{name: "it waits for us", claim: waiting(nil), want: true},
		{name: "another provisioner's", claim: waiting(func(c *claim) { c.Metadata.Annotations[annotationProvisioner] = "other" })},
		{name: "no pod is scheduled yet", claim: waiting(func(c *claim) { delete(c.Metadata.Annotations, annotationSelectedNode) })},
		{name: "it is bound", claim: waiting(func(c *claim) { c.Status.Phase = "Bound" })},
		{name: "it names its volume", claim: waiting(func(c *claim) { c.Spec.VolumeName = "mine" })},
		{name: "it wants a block device", claim: waiting(func(c *claim) { c.Spec.VolumeMode = "Block" })},
		{name: "its volume is made, not bound yet", claim: waiting(nil), volumes: []volume{existing("pvc-u1", "Available", provisionerName)}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			missing, released := plan([]claim{tc.claim}, tc.volumes)
			if got := len(missing) == 1; got != tc.want || len(released) != 0 {
				t.Errorf("provides %t, want %t; releases %v", got, tc.want, released)
			}
		})
	}
}

func TestPlanRemovesOnlyOurReleasedVolumes(t *testing.T) {
	_, released := plan(nil, []volume{
		existing("ours", "Released", provisionerName),
		existing("used", "Bound", provisionerName),
		existing("theirs", "Released", "other"),
	})
	if len(released) != 1 || released[0].Metadata.Name != "ours" {
		t.Errorf("released: %v", released)
	}
}

func TestVolumeIsWhatKubernetesReads(t *testing.T) {
	content, err := json.Marshal(volumeFor(waiting(nil), "/volumes/pvc-u1", "mcpauth"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.DisallowUnknownFields()
	var got corev1.PersistentVolume
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	if got.Spec.Local == nil || got.Spec.Local.Path != "/volumes/pvc-u1" {
		t.Errorf("source: %+v", got.Spec.PersistentVolumeSource)
	}
	if diff := cmp.Diff(&corev1.ObjectReference{
		APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "apps", Name: "data", UID: "u1",
	}, got.Spec.ClaimRef); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
	if size := got.Spec.Capacity[corev1.ResourceStorage]; size.String() != "1Gi" {
		t.Errorf("capacity: %s", size.String())
	}
	if got.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || got.Spec.StorageClassName != "standard" {
		t.Errorf("spec: %+v", got.Spec)
	}
}
