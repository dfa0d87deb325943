package injector

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mcpauth/mcpauth/policy"
)

// Names within an injected pod.
const (
	// ContainerName is the sidecar's, among the init containers.
	ContainerName = "mcpauth-sidecar"
	// VolumeName is that of the volume with the policy.
	VolumeName = "mcpauth-policy"
	// TLSVolumeName is that of the volume with the sidecar's certificate and key.
	TLSVolumeName = "mcpauth-tls"
)

const (
	policyDir      = "/etc/mcpauth"
	tlsDir         = "/etc/mcpauth-tls"
	credentialsDir = "/var/run/secrets"
	// tokenDir is where Kubernetes mounts the pod's ServiceAccount token into
	// every container that has no other mount there.
	tokenDir = credentialsDir + "/kubernetes.io/serviceaccount"
	// user is that of the sidecar's image, as a number so that the kubelet can see
	// that it is not root.
	user int64 = 65532
)

// Arguments of the sidecar. The port follows those of the addresses.
const (
	policyArgument = "--policy=" + policyDir + "/" + policy.FileName
	listenArgument = "--listen=:"
	healthArgument = "--health-listen=:"
	tlsArgument    = "--tls-dir=" + tlsDir
)

// container is the sidecar that takes over the port of the given name.
//
// It has no hook for its end and needs none. The kubelet takes a pod that is deleted
// out of its Services and stops the containers; a native sidecar gets its SIGTERM only
// when all of them have ended, so it serves while the app finishes its last calls, and
// has no upstream left to wait for when its own turn comes. All of that happens within
// the pod's terminationGracePeriodSeconds: an app that uses it up leaves the sidecar the
// two seconds that the kubelet always gives, which cut nothing off but its own log.
func (c Config) container(portName string) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	return corev1.Container{
		Name:            ContainerName,
		Image:           c.Image,
		Args:            c.args(),
		Ports:           []corev1.ContainerPort{{Name: portName, ContainerPort: c.Port, Protocol: corev1.ProtocolTCP}},
		RestartPolicy:   &always,
		Resources:       *c.Resources.DeepCopy(),
		VolumeMounts:    c.mounts(),
		StartupProbe:    c.probe(1, 60),
		ReadinessProbe:  c.probe(5, 3),
		SecurityContext: restricted(),
	}
}

func (c Config) args() []string {
	args := []string{
		policyArgument,
		listenArgument + strconv.Itoa(int(c.Port)),
		healthArgument + strconv.Itoa(int(c.HealthPort)),
	}
	if c.TLSSecret != "" {
		args = append(args, tlsArgument)
	}
	return args
}

// volumes are the sidecar's. Both are mounted as folders, since a single file of one
// would never be updated in a running container.
func (c Config) volumes() []corev1.Volume {
	volumes := []corev1.Volume{{
		Name: VolumeName,
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: ConfigMapName(c.Server)},
		}},
	}}
	if c.TLSSecret == "" {
		return volumes
	}
	// A pod whose Secret is not there waits for it, rather than serve without TLS.
	optional := false
	return append(volumes, corev1.Volume{
		Name:         TLSVolumeName,
		VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: c.TLSSecret, Optional: &optional}},
	})
}

// mounts are the sidecar's. The second one lies over the place of the
// ServiceAccount token: a container that strangers talk to and that asks
// Kubernetes for nothing has no use for the app's credentials.
func (c Config) mounts() []corev1.VolumeMount {
	mounts := []corev1.VolumeMount{
		{Name: VolumeName, MountPath: policyDir, ReadOnly: true},
		{Name: VolumeName, MountPath: tokenDir, ReadOnly: true},
	}
	if c.TLSSecret != "" {
		mounts = append(mounts, corev1.VolumeMount{Name: TLSVolumeName, MountPath: tlsDir, ReadOnly: true})
	}
	return mounts
}

// restricted satisfies the Pod Security Standard of that name without help from
// the pod's own security context.
func restricted() *corev1.SecurityContext {
	yes, no, uid := true, false, user
	return &corev1.SecurityContext{
		RunAsNonRoot:             &yes,
		RunAsUser:                &uid,
		RunAsGroup:               &uid,
		AllowPrivilegeEscalation: &no,
		ReadOnlyRootFilesystem:   &yes,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func (c Config) probe(periodSeconds, failureThreshold int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/readyz", Port: intstr.FromInt32(c.HealthPort), Scheme: corev1.URISchemeHTTP,
		}},
		TimeoutSeconds: 1, PeriodSeconds: periodSeconds, SuccessThreshold: 1, FailureThreshold: failureThreshold,
	}
}
