package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

// templateSidecar reads which sidecar a workload's pod template names.
func templateSidecar(workload client.Object) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(workload), workload)
		w, _ := newWorkload(workload)
		return w.sidecar(), err
	}
}

var _ = Describe("The sidecar of an MCPServer's pods", func() {
	var home, apps string
	var authz *v1alpha1.AuthorizationServer
	var server *v1alpha1.MCPServer
	var deployment *appsv1.Deployment
	BeforeEach(func(ctx context.Context) {
		authz, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
		deployment = create(ctx, aDeployment(apps, "todo", asking("todo")))
		setRunning(ctx, startPod(ctx, deployment, "todo-1"), true)
		Eventually(ctx, protectedNow(server)).Should(Equal("True Protected"))
	})

	listenAt := func(ctx context.Context, port int32) {
		GinkgoHelper()
		change(ctx, server, func() {
			if server.Spec.Sidecar == nil {
				server.Spec.Sidecar = &v1alpha1.Sidecar{}
			}
			server.Spec.Sidecar.Port = &port
		})
	}
	rollOut := func(ctx context.Context, rollout v1alpha1.Rollout) {
		GinkgoHelper()
		change(ctx, server, func() {
			if server.Spec.Sidecar == nil {
				server.Spec.Sidecar = &v1alpha1.Sidecar{}
			}
			server.Spec.Sidecar.Rollout = rollout
		})
	}
	shape := func() string {
		GinkgoHelper()
		config, err := injector.ConfigFor(server, authz.Spec.Sidecars, sidecarImage)
		Expect(err).NotTo(HaveOccurred())
		return config.Shape()
	}
	settled := func(ctx context.Context) int64 {
		GinkgoHelper()
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		return deployment.Generation
	}

	It("is left as it is when it should be another, unless somebody asks for a rollout", func(ctx SpecContext) {
		before := settled(ctx)
		listenAt(ctx, 16000)
		Eventually(ctx, protectedNow(server)).Should(Equal("False Outdated"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(
			ContainSubstring("Deployment "+apps+"/todo: pod "+apps+"/todo-1: "), ContainSubstring("16000"),
			ContainSubstring("kubectl rollout restart -n "+apps+" deployment/todo replaces them")))
		Consistently(ctx, func() int64 { return settled(ctx) }).Should(Equal(before), "no rollout begins")
	})

	It("is rolled out where that is Automatic, once for each change", func(ctx SpecContext) {
		before := settled(ctx)
		rollOut(ctx, v1alpha1.RolloutAutomatic)
		Eventually(ctx, protectedNow(server)).Should(Equal("True Protected"))
		Consistently(ctx, func() int64 { return settled(ctx) }).Should(Equal(before), "what is as it should be needs no rollout")

		listenAt(ctx, 16000)
		Eventually(ctx, templateSidecar(deployment)).Should(Equal(shape()))
		Expect(deployment.Generation).To(Equal(before + 1))
		Expect(templateLabel(deployment)(ctx)).To(Equal("todo"))
		Eventually(ctx, protectedMessage(server)).Should(ContainSubstring("its rollout replaces them; kubectl rollout status -n " + apps + " deployment/todo"))
		Eventually(ctx, eventsAbout(apps, "todo")).Should(ContainElement("WorkloadRolledOut"))
		Consistently(ctx, func() int64 { return settled(ctx) }).Should(Equal(before + 1))

		By("replacing the pods")
		Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: at(apps, "todo-1")}, client.GracePeriodSeconds(0))).To(Succeed())
		setRunning(ctx, startPod(ctx, deployment, "todo-2"), true)
		Eventually(ctx, protectedNow(server)).Should(Equal("True Protected"))
	})

	It("begins no rollout when the answer is Manual again", func(ctx SpecContext) {
		rollOut(ctx, v1alpha1.RolloutAutomatic)
		listenAt(ctx, 16000)
		Eventually(ctx, templateSidecar(deployment)).ShouldNot(BeEmpty())
		before, stamped := settled(ctx), deployment.Spec.Template.Annotations[v1alpha1.SidecarAnnotation]
		rollOut(ctx, v1alpha1.RolloutManual)
		Eventually(ctx, protectedNow(server)).Should(Equal("False Outdated"))
		Consistently(ctx, func() int64 { return settled(ctx) }).Should(Equal(before))

		By("keeping what is written there when the label has to be put back")
		change(ctx, deployment, func() { delete(deployment.Spec.Template.Labels, v1alpha1.ServerLabel) })
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		Expect(templateSidecar(deployment)(ctx)).To(Equal(stamped))

		By("taking everything back with the label")
		change(ctx, deployment, func() { deployment.Annotations = nil })
		Eventually(ctx, templateLabel(deployment)).Should(BeEmpty())
		Expect(templateSidecar(deployment)(ctx)).To(BeEmpty())
	})

	It("is rolled out where the workload's owner wrote the label, which stays the owner's", func(ctx SpecContext) {
		own := aDeployment(apps, "own", nil)
		own.Spec.Template.Labels[v1alpha1.ServerLabel] = "todo"
		create(ctx, own)
		setRunning(ctx, startPod(ctx, own, "own-1"), true)
		rollOut(ctx, v1alpha1.RolloutAutomatic)
		listenAt(ctx, 16000)
		Eventually(ctx, templateSidecar(own)).Should(Equal(shape()))
		change(ctx, own, func() { delete(own.Spec.Template.Labels, v1alpha1.ServerLabel) })
		Consistently(ctx, templateLabel(own)).Should(BeEmpty())
	})

	It("is as the AuthorizationServer says where the server does not", func(ctx SpecContext) {
		port := int32(16000)
		change(ctx, authz, func() {
			authz.Spec.Sidecars = &v1alpha1.Sidecar{Port: &port, Image: "registry.example.com/sidecar:shared", Rollout: v1alpha1.RolloutAutomatic}
		})
		Eventually(ctx, protectedNow(server)).Should(Equal("False Outdated"))
		Eventually(ctx, templateSidecar(deployment)).Should(Equal(shape()))
		second := startPod(ctx, deployment, "todo-2")
		Expect(second.Spec.InitContainers[0].Image).To(Equal("registry.example.com/sidecar:shared"))
		setRunning(ctx, second, true)
		Expect(k8s.Delete(ctx, &corev1.Pod{ObjectMeta: at(apps, "todo-1")}, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(ctx, protectedNow(server)).Should(Equal("True Protected"))
	})

	It("is rolled out where its image has moved to another registry, and looks like somebody else's", func(ctx SpecContext) {
		rollOut(ctx, v1alpha1.RolloutAutomatic)
		change(ctx, server, func() { server.Spec.Sidecar.Image = "mirror.example.com/sidecar:test" })
		Eventually(ctx, templateSidecar(deployment)).Should(Equal(shape()))
		Expect(protectedNow(server)(ctx)).To(Equal("False Counterfeit"))
	})

	It("cannot be where its ports are in each other's way, which Protected says", func(ctx SpecContext) {
		listenAt(ctx, 8080)
		Eventually(ctx, protectedNow(server)).Should(Equal("False Invalid"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(ContainSubstring("port 8080"), ContainSubstring("set spec.sidecar.port to another")))
	})
})

var _ = Describe("A pod that no Deployment or StatefulSet made", func() {
	var home, apps string
	var server *v1alpha1.MCPServer
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, protectedNow(server)).Should(Equal("False NoWorkload"))
	})

	// started is a pod with the label, made by the owner if there is one.
	started := func(ctx context.Context, name, ownerKind, ownerName string) *corev1.Pod {
		GinkgoHelper()
		pod := &corev1.Pod{ObjectMeta: at(apps, name), Spec: podSpec()}
		pod.Labels = map[string]string{v1alpha1.ServerLabel: "todo"}
		if ownerKind != "" {
			controls := true
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: ownerKind, Name: ownerName, UID: "u", Controller: &controls}}
		}
		setRunning(ctx, create(ctx, pod), true)
		return pod
	}
	outdate := func(ctx context.Context, pod *corev1.Pod) {
		GinkgoHelper()
		change(ctx, pod, func() { pod.Spec.InitContainers[0].Image = "registry.example.com/sidecar:earlier" })
		Eventually(ctx, protectedNow(server)).Should(Equal("False Outdated"))
	}

	It("is protected by its label, and still nothing is missing when it has ended", func(ctx SpecContext) {
		pod := started(ctx, "batch-x", "Job", "batch")
		Eventually(ctx, protectedNow(server)).Should(Equal("True Protected"))
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 1, Protected: 1})))
		changeStatus(ctx, pod, func() { pod.Status.Phase = corev1.PodSucceeded })
		Eventually(ctx, protectedMessage(server)).Should(ContainSubstring("no pod of the server runs"))
		Expect(protectedNow(server)(ctx)).To(Equal("True Protected"))
	})

	DescribeTable("is replaced by hand, which Protected says",
		func(ctx SpecContext, ownerKind, ownerName, maker, command string) {
			outdate(ctx, started(ctx, "one", ownerKind, ownerName))
			Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(HavePrefix(maker+" "+apps+"/"), MatchRegexp(command)))
		},
		Entry("where a DaemonSet made it", "DaemonSet", "todo", "DaemonSet", `kubectl rollout restart -n \S+ daemonset/todo replaces them, which the operator does for Deployments and StatefulSets alone`),
		Entry("where a Job made it", "Job", "batch", "Job", `kubectl delete pod -n \S+ one has its Job make another`),
		Entry("where nobody did", "", "", "Pod", "delete it and create it again"),
	)
})

// protectedNow reads Protected.
func protectedNow(server *v1alpha1.MCPServer) func(context.Context) (string, error) {
	return condition(server, v1alpha1.ConditionProtected)
}
