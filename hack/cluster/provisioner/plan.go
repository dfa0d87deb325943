package main

const (
	// provisionerName is what the StorageClass names, and what marks our volumes.
	provisionerName = "cluster.mcpauth.dev/folder"
	// The annotations are Kubernetes's own: who shall provide for a claim, who has provided a
	// volume, and on which node the scheduler wants it.
	annotationProvisioner   = "volume.kubernetes.io/storage-provisioner"
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
	annotationSelectedNode  = "volume.kubernetes.io/selected-node"
)

// metadata is what matters here of an object's metadata.
type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	UID         string            `json:"uid,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// claim is what matters here of a PersistentVolumeClaim.
type claim struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		AccessModes      []string `json:"accessModes"`
		StorageClassName string   `json:"storageClassName"`
		VolumeName       string   `json:"volumeName"`
		VolumeMode       string   `json:"volumeMode"`
		Resources        struct {
			Requests map[string]string `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

// volume is what matters here of a PersistentVolume.
type volume struct {
	Metadata metadata `json:"metadata"`
	Status   struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

// plan says which claims need a volume and which volumes nobody claims any more.
func plan(claims []claim, volumes []volume) (missing []claim, released []volume) {
	there := map[string]bool{}
	for _, v := range volumes {
		there[v.Metadata.Name] = true
		if v.Metadata.Annotations[annotationProvisionedBy] == provisionerName && v.Status.Phase == "Released" {
			released = append(released, v)
		}
	}
	for _, c := range claims {
		if waitsForUs(c) && !there[volumeName(c)] {
			missing = append(missing, c)
		}
	}
	return missing, released
}

// waitsForUs reports a claim that a pod on the node wants to use. Raw block devices are not ours
// to give.
func waitsForUs(c claim) bool {
	return c.Metadata.Annotations[annotationProvisioner] == provisionerName &&
		c.Metadata.Annotations[annotationSelectedNode] != "" &&
		c.Status.Phase == "Pending" && c.Spec.VolumeName == "" && c.Spec.VolumeMode != "Block"
}

// volumeName derives from the claim's uid: a second attempt makes the same volume, not another.
func volumeName(c claim) string { return "pvc-" + c.Metadata.UID }

// object is a Kubernetes object as it goes over the wire.
type object map[string]any

// volumeFor is the PersistentVolume of a claim, bound to it from the start.
func volumeFor(c claim, path, node string) object {
	return object{
		"apiVersion": "v1",
		"kind":       "PersistentVolume",
		"metadata": metadata{
			Name:        volumeName(c),
			Annotations: map[string]string{annotationProvisionedBy: provisionerName},
		},
		"spec": object{
			"accessModes":                   c.Spec.AccessModes,
			"capacity":                      object{"storage": c.Spec.Resources.Requests["storage"]},
			"persistentVolumeReclaimPolicy": "Delete",
			"storageClassName":              c.Spec.StorageClassName,
			"local":                         object{"path": path},
			"claimRef": object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": c.Metadata.Namespace, "name": c.Metadata.Name, "uid": c.Metadata.UID,
			},
			"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{{
				"matchExpressions": []object{{
					"key": "kubernetes.io/hostname", "operator": "In", "values": []string{node},
				}},
			}}}},
		},
	}
}
