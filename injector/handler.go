package injector

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Path is where the webhook configuration expects the Handler.
const Path = "/mutate-v1-pod"

// Handler is the mutating admission webhook for Pods that are created. A pod that
// asks for no MCPServer passes as it is; one that asks and cannot be protected,
// for whatever reason, is denied. It is safe for concurrent use.
type Handler struct {
	// Servers says how pods are injected.
	Servers Servers
	// Decoder reads Pods.
	Decoder admission.Decoder
}

var _ admission.Handler = (*Handler)(nil)

// Handle implements admission.Handler.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Operation != admissionv1.Create || req.Kind.Group != "" || req.Kind.Kind != "Pod" {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("this webhook is for Pods that are created, not for %s of %s", req.Operation, req.Kind.Kind))
	}
	var pod corev1.Pod
	if err := h.Decoder.Decode(req, &pod); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("read the pod: %w", err))
	}
	patch, err := h.mutate(ctx, &pod, req.Namespace)
	if err != nil {
		return answer(ctx, err)
	}
	return admission.Patched("", patch...)
}

// mutate takes the namespace from the request, since a pod that is being created
// need not say its own.
func (h *Handler) mutate(ctx context.Context, pod *corev1.Pod, namespace string) (Patch, error) {
	name, err := ServerOf(pod)
	if err != nil || name == "" {
		return nil, err
	}
	cfg, err := h.Servers.ServerFor(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return Inject(pod, cfg)
}

// answer denies. What is not a Refusal is the cluster's trouble: it is logged, and
// whoever creates the pod learns that trying again helps, but not its details.
func answer(ctx context.Context, err error) admission.Response {
	log := logf.FromContext(ctx)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		log.Info("Pod refused", "reason", refusal.Message)
		return admission.Denied(refusal.Message)
	}
	log.Error(err, "Pod refused, since its MCPServer could not be read")
	return admission.Errored(http.StatusInternalServerError, errors.New("the MCPServer that the pod names cannot be read at the moment; the pod is not let in unprotected, try again"))
}
