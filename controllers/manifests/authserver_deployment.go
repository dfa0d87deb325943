package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// Where an authorization server listens and keeps its data within its pod.
const (
	authServerPort       int32 = 9400
	authServerHealthPort int32 = 9401
	dataDir                    = "/var/lib/mcpauth"
	databaseDir                = "/etc/mcpauth/database"
	databaseURLFile            = "url"
)

// nonRoot is the user and the group of the images.
const nonRoot int64 = 65532

// Deployment runs an authorization server from the image.
func Deployment(s *v1alpha1.AuthorizationServer, image string) *appsv1ac.DeploymentApplyConfiguration {
	selector := authorizationServerSelector(s)
	template := corev1ac.PodTemplateSpec().
		WithLabels(authorizationServerLabels(s)).
		WithSpec(authServerPod(s, image))
	return appsv1ac.Deployment(compiler.ServiceName(s.Name), s.Namespace).
		WithLabels(authorizationServerLabels(s)).
		WithOwnerReferences(ownedBy(s, authorizationServerKind)).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(replicas(s)).
			WithStrategy(strategy(s)).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(selector)).
			WithTemplate(template))
}

func usesPostgreSQL(s *v1alpha1.AuthorizationServer) bool {
	return s.Spec.Storage.Type == v1alpha1.StoragePostgreSQL && s.Spec.Storage.PostgreSQL != nil
}

// replicas is one for SQLite, which has one writer.
func replicas(s *v1alpha1.AuthorizationServer) int32 {
	if s.Spec.Replicas == nil || !usesPostgreSQL(s) {
		return 1
	}
	return *s.Spec.Replicas
}

// strategy replaces pods without an interruption where they share a database.
// Where they would share a volume, the old one lets go of it before the new one
// takes it.
func strategy(s *v1alpha1.AuthorizationServer) *appsv1ac.DeploymentStrategyApplyConfiguration {
	if !usesPostgreSQL(s) {
		return appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsv1ac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).WithMaxSurge(intstr.FromInt32(1)))
}

func authServerPod(s *v1alpha1.AuthorizationServer, image string) *corev1ac.PodSpecApplyConfiguration {
	return corev1ac.PodSpec().
		WithServiceAccountName(compiler.ServiceName(s.Name)).
		WithAutomountServiceAccountToken(true).
		WithEnableServiceLinks(false).
		WithSecurityContext(corev1ac.PodSecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(nonRoot).WithRunAsGroup(nonRoot).
			WithFSGroup(nonRoot).WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(authServerContainer(s, image)).
		WithVolumes(
			storageVolume(s),
			corev1ac.Volume().WithName("tmp").WithEmptyDir(corev1ac.EmptyDirVolumeSource()),
		)
}

// storageVolume holds the database file or, for PostgreSQL, the file with its URL,
// which never becomes an argument or a variable of the environment.
func storageVolume(s *v1alpha1.AuthorizationServer) *corev1ac.VolumeApplyConfiguration {
	if !usesPostgreSQL(s) {
		return corev1ac.Volume().WithName("data").WithPersistentVolumeClaim(
			corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(VolumeClaimName(s.Name)))
	}
	ref := s.Spec.Storage.PostgreSQL.URLSecretRef
	return corev1ac.Volume().WithName("database").WithSecret(corev1ac.SecretVolumeSource().
		WithSecretName(ref.Name).
		WithItems(corev1ac.KeyToPath().WithKey(ref.Key).WithPath(databaseURLFile)).
		WithDefaultMode(0o440)) // the pod's group is fsGroup
}

func storageMount(s *v1alpha1.AuthorizationServer) *corev1ac.VolumeMountApplyConfiguration {
	if !usesPostgreSQL(s) {
		return corev1ac.VolumeMount().WithName("data").WithMountPath(dataDir)
	}
	return corev1ac.VolumeMount().WithName("database").WithMountPath(databaseDir).WithReadOnly(true)
}

func storageArgs(s *v1alpha1.AuthorizationServer) []string {
	if !usesPostgreSQL(s) {
		return []string{"--data", dataDir}
	}
	return []string{"--postgresql-url-file", databaseDir + "/" + databaseURLFile}
}

func authServerContainer(s *v1alpha1.AuthorizationServer, image string) *corev1ac.ContainerApplyConfiguration {
	return corev1ac.Container().
		WithName("authserver").
		WithImage(image).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs(
			"--namespace", s.Namespace,
			"--name", s.Name,
			"--listen", ":9400",
			"--health-listen", ":9401",
		).
		WithArgs(storageArgs(s)...).
		WithPorts(
			corev1ac.ContainerPort().WithName("http").WithContainerPort(authServerPort).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName("health").WithContainerPort(authServerHealthPort).WithProtocol(corev1.ProtocolTCP),
		).
		WithLivenessProbe(probe("/healthz").WithPeriodSeconds(10).WithFailureThreshold(6)).
		WithReadinessProbe(probe("/readyz").WithPeriodSeconds(2)).
		WithResources(corev1ac.ResourceRequirements().WithRequests(corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("64Mi"),
		})).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		WithVolumeMounts(
			storageMount(s),
			corev1ac.VolumeMount().WithName("tmp").WithMountPath("/tmp"),
		)
}

func probe(path string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString("health"))).
		WithTimeoutSeconds(5)
}
