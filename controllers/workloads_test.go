package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

// asking is the annotation by which a workload asks for protection.
func asking(server string) map[string]string {
	return map[string]string{v1alpha1.ServerAnnotation: server}
}

func app(name string) map[string]string { return map[string]string{"app": name} }

// podSpec is an MCP server's that knows nothing of the sidecar.
func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "registry.example.com/app:test",
		Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: 8080}},
	}}}
}

func aDeployment(namespace, name string, annotations map[string]string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: at(namespace, name)}
	d.Annotations = annotations
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: app(name)}
	d.Spec.Template.Labels = app(name)
	d.Spec.Template.Spec = podSpec()
	return d
}

func aStatefulSet(namespace, name string, annotations map[string]string) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{ObjectMeta: at(namespace, name)}
	s.Annotations = annotations
	s.Spec.Selector = &metav1.LabelSelector{MatchLabels: app(name)}
	s.Spec.Template.Labels = app(name)
	s.Spec.Template.Spec = podSpec()
	return s
}

func aService(namespace, name string, target intstr.IntOrString) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: at(namespace, name),
		Spec: corev1.ServiceSpec{
			Selector: app("todo"),
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: target}},
		},
	}
}

// templateLabel reads the label of a workload's pods.
func templateLabel(workload client.Object) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(workload), workload)
		w, _ := newWorkload(workload)
		return w.label(), err
	}
}

// startPod does what the controllers of a whole cluster would do for one pod of a
// Deployment whose template is labelled. The pod passes the webhook.
func startPod(ctx context.Context, deployment *appsv1.Deployment, name string) *corev1.Pod {
	GinkgoHelper()
	Eventually(ctx, templateLabel(deployment)).ShouldNot(BeEmpty())
	template := deployment.Spec.Template
	pod := &corev1.Pod{ObjectMeta: at(deployment.Namespace, name), Spec: template.Spec}
	pod.Labels, pod.Annotations = template.Labels, template.Annotations
	return create(ctx, pod)
}

// startOldPod makes a pod that never passed the webhook and has the labels that
// its Deployment's pods have now.
func startOldPod(ctx context.Context, deployment *appsv1.Deployment, name string, edit func(*corev1.PodSpec)) *corev1.Pod {
	GinkgoHelper()
	Eventually(ctx, templateLabel(deployment)).ShouldNot(BeEmpty())
	spec := podSpec()
	edit(&spec)
	pod := create(ctx, &corev1.Pod{ObjectMeta: at(deployment.Namespace, name), Spec: spec})
	change(ctx, pod, func() { pod.Labels = deployment.Spec.Template.Labels })
	return pod
}

// setRunning says of a pod what its kubelet would say.
func setRunning(ctx context.Context, pod *corev1.Pod, ready bool) {
	GinkgoHelper()
	changeStatus(ctx, pod, func() {
		state := corev1.ConditionFalse
		if ready {
			state = corev1.ConditionTrue
		}
		pod.Status.Phase = corev1.PodRunning
		if pod.Status.PodIP == "" {
			pod.Status.PodIP = pods.address()
			pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
		}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: state}}
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: injector.ContainerName, Ready: ready}}
	})
}

// setRolledOut says of a Deployment how many of its pods have its present
// template.
func setRolledOut(ctx context.Context, deployment *appsv1.Deployment, replicas, updated int32) {
	GinkgoHelper()
	changeStatus(ctx, deployment, func() {
		deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: replicas, UpdatedReplicas: updated}
	})
}
