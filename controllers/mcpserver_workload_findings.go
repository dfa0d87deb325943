package controllers

import (
	"fmt"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

// workloadFindings says what is wrong with the workloads, and how many of their pods
// have never passed the webhook: those have no label, so the operator does not see
// them. Where nothing asks for the server, pods with its label stand for it: those of a
// Job, of a DaemonSet or of nobody.
func (s *mcpServer) workloadFindings() (found []injector.Finding, unlabelled int32) {
	if len(s.workloads) == 0 && len(s.pods) == 0 && !s.idle {
		return []injector.Finding{{Reason: v1alpha1.ReasonNoWorkload, Message: fmt.Sprintf(
			"nothing in namespace %q asks for the server; add the annotation %s: %s to the Deployment or StatefulSet that is to be protected, "+
				"or the label of that name and value to the pod template of anything else, such as a DaemonSet or a Job, which the operator does not change",
			s.object.Namespace, v1alpha1.ServerAnnotation, s.object.Name)}}, 0
	}
	for _, w := range s.workloads {
		old := w.unlabelled(s.pods)
		if old == 0 {
			continue
		}
		unlabelled += old
		found = append(found, injector.Finding{Reason: v1alpha1.ReasonNotInjected, Message: fmt.Sprintf(
			"%s: %d of %d pods run without the sidecar; %s", w, old, w.running, w.remedy(s.object.Name))})
	}
	return found, unlabelled
}

// awaitedPods says of which workload a pod is waited for, where there is none at all.
func (s *mcpServer) awaitedPods() (injector.Finding, bool) {
	if len(s.pods) > 0 {
		return injector.Finding{}, false
	}
	for _, w := range s.workloads {
		if w.wanted > 0 && w.unlabelled(nil) == 0 {
			return injector.Finding{Reason: v1alpha1.ReasonPending, Message: fmt.Sprintf("%s has no pod yet; kubectl describe it where that lasts", w)}, true
		}
	}
	return injector.Finding{}, false
}

// remedy says what replaces the pods of a workload that have no sidecar.
func (w workload) remedy(server string) string {
	switch {
	case w.label() != server:
		return "they are replaced as soon as the server is accepted and its policy is written"
	case w.paused:
		return "its rollout is paused; kubectl rollout resume continues it"
	default:
		return "its rollout replaces them; kubectl rollout status says how far it is, kubectl rollout restart begins one where its strategy is OnDelete"
	}
}
