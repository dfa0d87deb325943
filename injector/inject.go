package injector

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Inject returns what must change in a pod so that the sidecar of the server
// guards it, or a *Refusal. It leaves the pod as it is, depends on nothing but
// its arguments, and is safe for concurrent use.
//
// It may be called again on what it made, also after other injectors and the API
// server's defaults: then the Patch is empty. A pod that already has something by
// the sidecar's name which is not the sidecar is refused, never repaired, since
// whoever wrote it meant to pass for protected.
//
// The sidecar becomes the first init container: as a native sidecar it holds its
// ports before any other code of the pod runs, and it is the last to stop. It
// starts without the network, from the policy in its volume, so it need not wait
// for a neighbour that provides one.
func Inject(pod *corev1.Pod, cfg Config) (Patch, error) {
	cfg = cfg.withDefaults()
	var patch Patch
	if claims := claims(pod); len(claims) > 0 {
		if flaws := inspect(pod, cfg); len(flaws) > 0 {
			return nil, cfg.refuse(flaws[0], "remove "+strings.Join(claims, " and ")+" from its manifest, since admission adds what is needed")
		}
	} else {
		port, refusal := findAppPort(pod, cfg)
		if refusal != nil {
			return nil, refusal
		}
		if flaws := waysAround(pod, cfg, port.name); len(flaws) > 0 {
			return nil, cfg.refuse(flaws[0], "")
		}
		patch.takeOver(port)
		patch.appendVolumes(pod, cfg.volumes())
		patch.prependInitContainer(pod, cfg.container(port.name))
	}
	patch.mark(pod, cfg)
	return patch, nil
}

// refuse words a flaw for whoever creates the pod; cure is the fix of one that
// has none of its own.
func (c Config) refuse(f flaw, cure string) *Refusal {
	return refuse("MCPServer %q cannot protect the pod: %s; %s", c.Server, f.what, cmp.Or(f.fix, cure))
}

// mark lets people and selectors find the pod. Nothing believes the marks.
func (p *Patch) mark(pod *corev1.Pod, cfg Config) {
	p.set("/metadata/labels", pod.Labels, v1alpha1.ServerLabel, cfg.Server)
	p.set("/metadata/annotations", pod.Annotations, v1alpha1.InjectedAnnotation, cfg.Image)
}

// claims names what in the pod says that it is of our making.
func claims(pod *corev1.Pod) []string {
	isSidecar := func(c corev1.Container) bool { return c.Name == ContainerName }
	isVolume := func(v corev1.Volume) bool { return v.Name == VolumeName }
	var claims []string
	if slices.ContainsFunc(pod.Spec.InitContainers, isSidecar) || slices.ContainsFunc(pod.Spec.Containers, isSidecar) {
		claims = append(claims, "the container "+ContainerName)
	}
	if slices.ContainsFunc(pod.Spec.Volumes, isVolume) {
		claims = append(claims, "the volume "+VolumeName)
	}
	if _, marked := pod.Annotations[v1alpha1.InjectedAnnotation]; marked {
		claims = append(claims, "the annotation "+v1alpha1.InjectedAnnotation)
	}
	return claims
}
