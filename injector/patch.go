package injector

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// Patch is what Inject changes in a pod, as JSON patch operations (RFC 6902) in
// the order in which they apply. It touches only what it names, so fields that
// this program's version of the API does not know survive. An empty Patch means
// that nothing has to change.
type Patch []jsonpatch.Operation

func (p *Patch) add(path string, value any) {
	*p = append(*p, jsonpatch.NewOperation("add", path, value))
}

func (p *Patch) replace(path string, value any) {
	*p = append(*p, jsonpatch.NewOperation("replace", path, value))
}

func (p *Patch) remove(path string) {
	*p = append(*p, jsonpatch.NewOperation("remove", path, nil))
}

// set puts entries into a map of the metadata that has or lacks others.
func (p *Patch) set(path string, have, want map[string]string) {
	if len(have) == 0 {
		p.add(path, want)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if old, ok := have[key]; !ok || old != want[key] {
			p.add(pointer(path, key), want[key])
		}
	}
}

func (p *Patch) appendVolumes(pod *corev1.Pod, volumes []corev1.Volume) {
	if len(pod.Spec.Volumes) == 0 {
		p.add("/spec/volumes", volumes)
		return
	}
	for _, volume := range volumes {
		p.add("/spec/volumes/-", volume)
	}
}

// prependInitContainer moves the indices of all init containers, so operations on
// those come before it.
func (p *Patch) prependInitContainer(pod *corev1.Pod, container corev1.Container) {
	if len(pod.Spec.InitContainers) == 0 {
		p.add("/spec/initContainers", []corev1.Container{container})
		return
	}
	p.add("/spec/initContainers/0", container)
}

// pointer extends a JSON pointer (RFC 6901) by reference tokens.
func pointer(path string, tokens ...string) string {
	escaper := strings.NewReplacer("~", "~0", "/", "~1")
	for _, token := range tokens {
		path += "/" + escaper.Replace(token)
	}
	return path
}

func element(path string, index int) string { return path + "/" + strconv.Itoa(index) }
