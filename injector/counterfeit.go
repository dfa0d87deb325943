package injector

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// judge says of a container by the sidecar's name, and of its volumes, in what it is
// not the sidecar. What an earlier version or an earlier configuration may have written
// is outdated; what no version ever wrote is counterfeit, so somebody else wrote it.
func judge(pod *corev1.Pod, sidecar *corev1.Container, cfg Config) []flaw {
	var forged, older []string
	for _, field := range differences(*sidecar, cfg.container(portName(sidecar))) {
		if why := forgery(field, sidecar, cfg); why != "" {
			forged = append(forged, why)
		} else {
			older = append(older, difference(field, sidecar, cfg))
		}
	}
	if portName(sidecar) == "" {
		forged = append(forged, "it has not taken over the name of the app's port")
	}
	if policy := cfg.volumes()[0]; !isIn(pod.Spec.Volumes, policy) {
		forged = append(forged, fmt.Sprintf("the volume %q is not the policy in ConfigMap %q", VolumeName, ConfigMapName(cfg.Server)))
	}
	switch why, isForged := certificate(pod, cfg); {
	case isForged:
		forged = append(forged, why)
	case why != "":
		older = append(older, why)
	}
	if len(forged)+len(older) == 0 && isMarkedOtherwise(pod, cfg) {
		older = append(older, "its configuration has changed since the pod was created")
	}
	var flaws []flaw
	if len(forged) > 0 {
		flaws = append(flaws, counterfeit("its container %q is not of the webhook's making: %s", ContainerName, strings.Join(forged, "; ")))
	}
	if len(older) > 0 {
		flaws = append(flaws, outdated("its sidecar is not the one that is injected now: %s", strings.Join(older, "; ")))
	}
	return flaws
}

// forgery says why no version ever wrote a field as it is; nothing where one may have.
// Fields that it does not know are forged, since Inject leaves them out.
func forgery(field string, have *corev1.Container, cfg Config) string {
	switch field {
	case "ports":
		return ""
	case "image":
		if sameRepository(have.Image, cfg.Image) {
			return ""
		}
		return fmt.Sprintf("the image %q is of another repository than %q", have.Image, cfg.Image)
	case "args":
		if i := slices.IndexFunc(have.Args, func(arg string) bool { return !everWritten.MatchString(arg) }); i >= 0 {
			return fmt.Sprintf("the argument %q is none that the webhook writes", have.Args[i])
		}
		if !slices.Contains(have.Args, policyArgument) {
			return "the argument " + policyArgument + " is missing"
		}
		return ""
	case "securityContext":
		if isConfined(have.SecurityContext) {
			return ""
		}
		return "its securityContext allows more than the webhook ever does"
	case "volumeMounts":
		if withTLS := (Config{TLSSecret: "any"}); sameMounts(*have, withTLS) || sameMounts(*have, Config{}) {
			return ""
		}
		return "its volumeMounts are none that the webhook writes"
	case "restartPolicy":
		return "it is an init container that ends (restartPolicy: Always makes it a sidecar)"
	default:
		return "the webhook does not write " + field + " so"
	}
}

// everWritten are the arguments that some version writes.
var everWritten = regexp.MustCompile(`^(` + regexp.QuoteMeta(policyArgument) + `|` + regexp.QuoteMeta(tlsArgument) + `|` +
	regexp.QuoteMeta(listenArgument) + `[0-9]+|` + regexp.QuoteMeta(healthArgument) + `[0-9]+)$`)

// difference words one that an earlier version or configuration explains.
func difference(field string, have *corev1.Container, cfg Config) string {
	switch field {
	case "image":
		return fmt.Sprintf("it is %s instead of %s", have.Image, cfg.Image)
	case "args":
		return fmt.Sprintf("its args are %q instead of %q", have.Args, cfg.args())
	default:
		return "it differs in " + field
	}
}

// certificate compares the volume with the sidecar's certificate, and says whether what
// is in its place is no Secret, which no version ever wrote. A volume too many is told
// by the arguments.
func certificate(pod *corev1.Pod, cfg Config) (why string, isForged bool) {
	if i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == TLSVolumeName }); i >= 0 && pod.Spec.Volumes[i].Secret == nil {
		return fmt.Sprintf("the volume %q is no Secret", TLSVolumeName), true
	}
	if volumes := cfg.volumes(); cfg.TLSSecret != "" && !isIn(pod.Spec.Volumes, volumes[len(volumes)-1]) {
		return fmt.Sprintf("it does not serve with the certificate of Secret %q", cfg.TLSSecret), false
	}
	return "", false
}

// sameRepository reports whether two images differ in tag or digest at most. Short
// names are those of Docker Hub, as the container runtime has it.
func sameRepository(a, b string) bool {
	left, errA := name.ParseReference(a, name.WeakValidation)
	right, errB := name.ParseReference(b, name.WeakValidation)
	return errA == nil && errB == nil && left.Context().Name() == right.Context().Name()
}

// isConfined reports whether a security context allows no more than the Pod Security
// Standard "restricted" does.
func isConfined(c *corev1.SecurityContext) bool {
	switch {
	case c == nil, c.RunAsNonRoot == nil, !*c.RunAsNonRoot:
		return false
	case c.AllowPrivilegeEscalation == nil, *c.AllowPrivilegeEscalation:
		return false
	case c.Privileged != nil && *c.Privileged, c.RunAsUser != nil && *c.RunAsUser == 0:
		return false
	case c.Capabilities == nil, len(c.Capabilities.Add) > 0, !slices.Contains(c.Capabilities.Drop, "ALL"):
		return false
	case c.ProcMount != nil && *c.ProcMount != corev1.DefaultProcMount, c.WindowsOptions != nil:
		return false
	}
	return c.SeccompProfile != nil && c.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault
}

func sameMounts(have corev1.Container, cfg Config) bool {
	return equality.Semantic.DeepEqual(essence(have).VolumeMounts, cfg.mounts())
}
