package manifests

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// VolumeClaim asks for the volume of an authorization server's database. Its
// spec is immutable in Kubernetes, so it is made once.
func VolumeClaim(s *v1alpha1.AuthorizationServer) *corev1.PersistentVolumeClaim {
	size, class := resource.MustParse("1Gi"), (*string)(nil)
	if sqlite := s.Spec.Storage.SQLite; sqlite != nil {
		class = sqlite.StorageClassName
		if sqlite.Size != nil {
			size = *sqlite.Size
		}
	}
	return &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Name: VolumeClaimName(s.Name), Namespace: s.Namespace,
			Labels:          authorizationServerLabels(s),
			OwnerReferences: []metav1.OwnerReference{controlledBy(s, authorizationServerKind)},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			StorageClassName: class,
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
}
