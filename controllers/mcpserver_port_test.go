package controllers

import (
	"context"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

var _ = Describe("The app's port of a protected pod", func() {
	var home, apps string
	var server *v1alpha1.MCPServer
	var deployment *appsv1.Deployment
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = anMCPServer(apps, "todo", home)
		deployment = create(ctx, aDeployment(apps, "todo", asking("todo")))
	})

	protected := func() func(context.Context) (string, error) { return condition(server, v1alpha1.ConditionProtected) }
	// behind starts a pod whose port is as the door.
	behind := func(ctx context.Context, name string, d door) *corev1.Pod {
		GinkgoHelper()
		pod := startPod(ctx, deployment, name)
		pod.Status.PodIP = pods.address()
		pods.set(pod, d)
		address := pod.Status.PodIP
		changeStatus(ctx, pod, func() { pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}} })
		setRunning(ctx, pod, true)
		return pod
	}
	unmanaged := func() { server.Spec.Workload.NetworkPolicy = v1alpha1.PolicyUnmanaged }
	fromWebs := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: app("web")}}

	DescribeTable("is closed",
		func(ctx SpecContext, d door, prepare func(context.Context)) {
			prepare(ctx)
			create(ctx, server)
			pod := behind(ctx, "todo-1", d)
			Eventually(ctx, protected()).Should(Equal("True Protected"))
			Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(ContainSubstring("port 8080 does not answer other pods"))
			Expect(pods.attempts(pod.Status.PodIP)).To(ConsistOf(uint16(8080)), "no other port is anybody's business")
		},
		Entry("where the NetworkPolicy is enforced", door(silent), func(context.Context) {}),
		Entry("where the app listens on its loopback address", door(locked), func(context.Context) {}),
		Entry("where the app listens on its loopback address, without a policy", door(locked), func(context.Context) { unmanaged() }),
		Entry("where the app listens on its loopback address, whatever policies admit", door(locked), func(ctx context.Context) {
			create(ctx, aNetworkPolicy(apps, "allow-all", nil, admitting()))
		}),
		Entry("where something else closes it", door(silent), func(context.Context) { unmanaged() }),
		Entry("where another policy closes it", door(silent), func(ctx context.Context) {
			create(ctx, aNetworkPolicy(apps, "deny-all", nil))
			create(ctx, aNetworkPolicy(apps, "allow-sidecars", nil, admitting(15080, 15081)))
		}),
	)

	DescribeTable("is open, which Protected says",
		func(ctx SpecContext, d door, prepare func(context.Context), words ...string) {
			prepare(ctx)
			create(ctx, server)
			behind(ctx, "todo-1", d)
			Eventually(ctx, protected()).Should(Equal("False PortOpen"))
			text := message(ctx, server, v1alpha1.ConditionProtected)
			Expect(text).To(And(HavePrefix("port 8080 of pod "+apps+"/todo-1 "), ContainSubstring("let the server listen on 127.0.0.1 alone")))
			for _, part := range words {
				Expect(text).To(ContainSubstring(part))
			}
			Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 1, Protected: 1})), "it has its sidecar")
			Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False PortOpen"))
		},
		Entry("where nobody enforces the NetworkPolicy", door(open), func(context.Context) {},
			"the cluster's network does not enforce NetworkPolicy spec-", "/mcpauth-todo", "use a network plugin that enforces policies"),
		Entry("where nobody enforces the policy of somebody else", door(open), func(ctx context.Context) {
			create(ctx, aNetworkPolicy(apps, "deny-all", nil))
		}, "does not enforce NetworkPolicy spec-", "/deny-all"),
		Entry("where nobody sees to it", door(open), func(context.Context) { unmanaged() },
			"no NetworkPolicy is about it", "set spec.workload.networkPolicy: Managed"),
		Entry("where another policy admits everybody", door(open), func(ctx context.Context) {
			create(ctx, aNetworkPolicy(apps, "allow-all", nil, admitting()))
		}, "is open to everybody", "by NetworkPolicy spec-", "/allow-all", "name the sidecar's ports there (15080, and 15081 for probes and metrics)"),
		Entry("where another policy admits some, of whom the operator is none", door(silent), func(ctx context.Context) {
			rule := admitting(8080)
			rule.From = []networkingv1.NetworkPolicyPeer{fromWebs}
			create(ctx, aNetworkPolicy(apps, "allow-webs", app("todo"), rule))
		}, "is open to some peers", "/allow-webs"),
		Entry("where a policy is about some of the pods alone", door(open), func(ctx context.Context) {
			second := aDeployment(apps, "second", asking("todo"))
			create(ctx, second)
			create(ctx, aNetworkPolicy(apps, "for-second", app("second"), admitting(15080)))
		}, "no NetworkPolicy is about it", "have NetworkPolicy spec-", "/for-second select it as well"),
	)

	It("is tried before anybody says that it is closed", func(ctx SpecContext) {
		create(ctx, server)
		released := make(chan struct{})
		behind(ctx, "todo-1", func() error { <-released; return syscall.ECONNREFUSED })
		Eventually(ctx, protectedMessage(server)).Should(ContainSubstring("port 8080 of pod " + apps + "/todo-1 is being tried"))
		Expect(protected()(ctx)).To(Equal("Unknown Pending"))
		Consistently(ctx, protected()).Should(Equal("Unknown Pending"))
		close(released)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
	})

	It("is tried again, and what is said follows", func(ctx SpecContext) {
		create(ctx, server)
		pod := behind(ctx, "todo-1", locked)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		pods.set(pod, open) // the app took a while to listen
		Eventually(ctx, protected()).Should(Equal("False PortOpen"))
		pods.set(pod, silent)
		create(ctx, aNetworkPolicy(apps, "deny-all", nil)) // which is worth another try at once
		Eventually(ctx, protected()).Should(Equal("True Protected"))
	})

	It("counts the pods of which the same is to be said", func(ctx SpecContext) {
		create(ctx, server)
		for _, name := range []string{"todo-1", "todo-2", "todo-3"} {
			behind(ctx, name, open)
		}
		Eventually(ctx, protectedMessage(server)).Should(HavePrefix("port 8080 of pod " + apps + "/todo-1 and 2 more answers other pods"))
	})

	It("is not said to be open any more when the pods are gone, nor for those that come until they are tried", func(ctx SpecContext) {
		create(ctx, server)
		first := behind(ctx, "todo-1", open)
		Eventually(ctx, protected()).Should(Equal("False PortOpen"))
		released := make(chan struct{})
		second := behind(ctx, "todo-2", func() error { <-released; return syscall.ECONNREFUSED })
		Expect(k8s.Delete(ctx, first, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 1, Protected: 1})))
		Consistently(ctx, protected()).Should(Equal("False PortOpen"), "what was found holds until there is an answer")
		close(released)
		Eventually(ctx, protected()).Should(Equal("True Protected"))

		pods.set(second, open)
		Eventually(ctx, protected()).Should(Equal("False PortOpen"))
		change(ctx, deployment, func() { deployment.Spec.Replicas = new(int32) })
		Expect(k8s.Delete(ctx, second, client.GracePeriodSeconds(0))).To(Succeed())
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(ContainSubstring("no pod of the server runs"))
	})

	It("is not tried at an address that no pod has", func(ctx SpecContext) {
		create(ctx, server)
		for i, address := range []string{"127.0.0.1", "169.254.169.254"} {
			pod := startPod(ctx, deployment, []string{"todo-1", "todo-2"}[i])
			changeStatus(ctx, pod, func() { pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}} })
			setRunning(ctx, pod, true)
		}
		Eventually(ctx, protectedMessage(server)).Should(ContainSubstring("port 8080 of pod " + apps + "/todo-1 and 1 more is at no address where it can be tried"))
		Expect(protected()(ctx)).To(Equal("Unknown Pending"))
		Consistently(ctx, func() []uint16 { return append(pods.attempts("127.0.0.1"), pods.attempts("169.254.169.254")...) }).Should(BeEmpty())
	})

	It("is not tried where the pod has not started", func(ctx SpecContext) {
		create(ctx, server)
		pod := startPod(ctx, deployment, "todo-1")
		address := pods.address()
		changeStatus(ctx, pod, func() { pod.Status.PodIP, pod.Status.PodIPs = address, []corev1.PodIP{{IP: address}} })
		Eventually(ctx, protected()).Should(Equal("Unknown Pending"))
		Consistently(ctx, func() []uint16 { return pods.attempts(address) }).Should(BeEmpty())
	})
})
