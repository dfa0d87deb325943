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
// whoever wrote it meant to pass for protected, or copied what is out of date.
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
	} else if refusal := patch.protect(pod, cfg); refusal != nil {
		return nil, refusal
	}
	patch.mark(pod, cfg)
	return patch, nil
}

// protect adds the sidecar to a pod that has nothing of it.
func (p *Patch) protect(pod *corev1.Pod, cfg Config) *Refusal {
	if flaws := unfit(pod, cfg); len(flaws) > 0 {
		return cfg.refuse(flaws[0], "")
	}
	port, refusal := findAppPort(pod, cfg)
	if refusal != nil {
		return refusal
	}
	if flaws := append(waysAround(pod, cfg, port.name), exposures(pod)...); len(flaws) > 0 {
		return cfg.refuse(flaws[0], "")
	}
	p.takeOver(port)
	p.appendVolumes(pod, cfg.volumes())
	p.prependInitContainer(pod, cfg.container(port.name))
	return nil
}

// refuse words a flaw for whoever creates the pod; cure is the fix of one that
// has none of its own.
func (c Config) refuse(f flaw, cure string) *Refusal {
	return refuse("MCPServer %q cannot protect the pod: %s; %s", c.Server, f.what, cmp.Or(f.fix, cure))
}

// mark lets people and selectors find the pod, and notes which sidecar it was given.
// Nothing believes the marks.
func (p *Patch) mark(pod *corev1.Pod, cfg Config) {
	p.set("/metadata/labels", pod.Labels, map[string]string{v1alpha1.ServerLabel: cfg.Server})
	p.set("/metadata/annotations", pod.Annotations, map[string]string{
		v1alpha1.InjectedAnnotation: cfg.Image,
		v1alpha1.SidecarAnnotation:  cfg.Shape(),
	})
}

// claims names what in the pod says that it is of our making.
func claims(pod *corev1.Pod) []string {
	isSidecar := func(c corev1.Container) bool { return c.Name == ContainerName }
	var claims []string
	if slices.ContainsFunc(pod.Spec.InitContainers, isSidecar) || slices.ContainsFunc(pod.Spec.Containers, isSidecar) {
		claims = append(claims, "the container "+ContainerName)
	}
	for _, v := range pod.Spec.Volumes {
		if isOurs(v.Name) {
			claims = append(claims, "the volume "+v.Name)
		}
	}
	if _, marked := pod.Annotations[v1alpha1.InjectedAnnotation]; marked {
		claims = append(claims, "the annotation "+v1alpha1.InjectedAnnotation)
	}
	return claims
}
