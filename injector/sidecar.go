package injector

import (
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
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

// differences names the fields, as manifests do, in which a container is not the
// sidecar. It compares whatever essence does not leave out, so a field that a
// later Kubernetes adds counts as a difference until somebody has judged it.
func differences(have, want corev1.Container) []string {
	h, w := reflect.ValueOf(essence(have)), reflect.ValueOf(essence(want))
	var fields []string
	for i := range h.NumField() {
		if equality.Semantic.DeepEqual(h.Field(i).Interface(), w.Field(i).Interface()) {
			continue
		}
		name, _, _ := strings.Cut(h.Type().Field(i).Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	return fields
}

// essence is the container without what the API server, admission plugins and
// other injectors legitimately set in everybody's containers (defaults, pull
// policy, resources, rewritten probes, environment, credentials), none of which
// lets a request past the sidecar.
func essence(c corev1.Container) corev1.Container {
	c.ImagePullPolicy, c.Resources, c.ResizePolicy = "", corev1.ResourceRequirements{}, nil
	c.TerminationMessagePath, c.TerminationMessagePolicy = "", ""
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = nil, nil, nil
	c.Env = keep(c.Env, func(e corev1.EnvVar) bool { return steers(e.Name) })
	c.VolumeMounts = keep(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !isForeignCredential(m) })
	return c
}

func keep[T any](list []T, wanted func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(item T) bool { return !wanted(item) })
}

// steers reports whether an environment variable changes what the sidecar does:
// through which proxy it fetches keys, whom it trusts, how the Go runtime works,
// where audit events go.
func steers(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasSuffix(name, "_PROXY") || name == "REQUEST_METHOD" {
		return true
	}
	return slices.ContainsFunc([]string{
		"GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "GOCOVERDIR",
		"SSL_", "LD_", "RES_OPTIONS", "LOCALDOMAIN", "OTEL_", "GRPC_", "MCPAUTH_",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// isForeignCredential reports whether a mount is a workload identity that another
// injector puts into all containers. It lies where nothing of the sidecar is
// covered by it.
func isForeignCredential(m corev1.VolumeMount) bool {
	return m.Name != VolumeName && strings.HasPrefix(path.Clean(m.MountPath), credentialsDir+"/")
}

// isIn reports whether a pod has the volume. The mode of its files is the API
// server's default and makes no difference.
func isIn(volumes []corev1.Volume, want corev1.Volume) bool {
	return slices.ContainsFunc(volumes, func(have corev1.Volume) bool {
		return equality.Semantic.DeepEqual(withoutMode(have), withoutMode(want))
	})
}

func withoutMode(v corev1.Volume) corev1.Volume {
	if v.ConfigMap != nil {
		source := *v.ConfigMap
		source.DefaultMode = nil
		v.ConfigMap = &source
	}
	if v.Secret != nil {
		source := *v.Secret
		source.DefaultMode = nil
		v.Secret = &source
	}
	return v
}
