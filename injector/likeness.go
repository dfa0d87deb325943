package injector

import (
	"path"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

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

// essence is the container without what the API server, admission plugins, other
// injectors and a resize in place legitimately set in everybody's containers
// (defaults, pull policy, resources, rewritten probes, SELinux labels, environment,
// credentials and other files that the sidecar never reads), none of which lets a
// request past the sidecar.
func essence(c corev1.Container) corev1.Container {
	c.ImagePullPolicy, c.Resources, c.ResizePolicy = "", corev1.ResourceRequirements{}, nil
	c.TerminationMessagePath, c.TerminationMessagePolicy = "", ""
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = nil, nil, nil
	c.Env = keep(c.Env, func(e corev1.EnvVar) bool { return steers(e.Name) })
	c.VolumeMounts = keep(c.VolumeMounts, func(m corev1.VolumeMount) bool { return !isForeign(m) })
	if c.SecurityContext != nil {
		own := *c.SecurityContext
		own.SELinuxOptions = nil
		c.SecurityContext = &own
	}
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

// readPlaces are where the sidecar and what runs it read: the program, its policy and
// certificates, the trusted authorities, names and devices.
var readPlaces = []string{"/sidecar", "/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/sys", "/dev"}

// isForeign reports whether a mount is one that another injector puts into all
// containers, such as a workload identity or secrets from a vault. It lies where the
// sidecar reads nothing, and not over the place of the ServiceAccount token.
func isForeign(m corev1.VolumeMount) bool {
	at := path.Clean("/" + m.MountPath)
	return !isOurs(m.Name) && at != "/" && !within(tokenDir, at) &&
		!slices.ContainsFunc(readPlaces, func(place string) bool { return within(at, place) })
}

// within reports whether a clean path is a place or lies below it.
func within(at, place string) bool { return strings.HasPrefix(at+"/", place+"/") }

// isOurs reports whether a volume's name is one of those that admission adds.
func isOurs(volume string) bool { return volume == VolumeName || volume == TLSVolumeName }

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
