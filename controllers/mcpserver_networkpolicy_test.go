package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// aNetworkPolicy is somebody else's, about pods with the labels, with the rules.
func aNetworkPolicy(namespace, name string, labels map[string]string, rules ...networkingv1.NetworkPolicyIngressRule) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: at(namespace, name), Spec: networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: labels},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress:     rules,
	}}
}

// admitting is a rule for the ports, or for all where there are none.
func admitting(ports ...int32) networkingv1.NetworkPolicyIngressRule {
	var rule networkingv1.NetworkPolicyIngressRule
	for _, p := range ports {
		port := intstr.FromInt32(p)
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Port: &port})
	}
	return rule
}

// ranges are the ports of a rule as "PROTOCOL from to".
func ranges(rule networkingv1.NetworkPolicyIngressRule) map[string][][2]int32 {
	found := make(map[string][][2]int32)
	for _, p := range rule.Ports {
		if p.EndPort == nil {
			return nil
		}
		found[string(*p.Protocol)] = append(found[string(*p.Protocol)], [2]int32{p.Port.IntVal, *p.EndPort})
	}
	return found
}

var _ = Describe("The NetworkPolicy of an MCPServer", func() {
	var home, apps string
	var server *v1alpha1.MCPServer
	var deployment *appsv1.Deployment
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
		deployment = create(ctx, aDeployment(apps, "todo", asking("todo")))
	})

	ours := func(ctx context.Context) (*networkingv1.NetworkPolicy, error) {
		var policy networkingv1.NetworkPolicy
		err := k8s.Get(ctx, types.NamespacedName{Namespace: apps, Name: "mcpauth-todo"}, &policy)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return &policy, err
	}
	beWhole := WithTransform(func(p *networkingv1.NetworkPolicy) any {
		if p == nil {
			return nil
		}
		return p.Spec
	}, And(
		HaveField("PodSelector.MatchLabels", Equal(map[string]string{v1alpha1.ServerLabel: "todo"})),
		HaveField("PodSelector.MatchExpressions", BeEmpty()),
		HaveField("PolicyTypes", ConsistOf(networkingv1.PolicyTypeIngress)),
		HaveField("Egress", BeEmpty()),
		HaveField("Ingress", ConsistOf(And(
			HaveField("From", BeEmpty()),
			WithTransform(ranges, Equal(map[string][][2]int32{
				"TCP": {{1, 8079}, {8081, 65535}}, "UDP": {{1, 65535}}, "SCTP": {{1, 65535}},
			})),
		))),
	))

	It("closes the app's port and no other, and goes with the server", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		policy, err := ours(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(metav1.IsControlledBy(policy, server)).To(BeTrue(), "the garbage collector deletes it with the server")
		Expect(policy.ManagedFields).To(ConsistOf(HaveField("Manager", "mcpauth-mcpserver")))
	})

	It("follows the app's port", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		change(ctx, server, func() { server.Spec.Workload.Port = 9090 })
		Eventually(ctx, func(ctx context.Context) (map[string][][2]int32, error) {
			policy, err := ours(ctx)
			if policy == nil || err != nil {
				return nil, err
			}
			return ranges(policy.Spec.Ingress[0]), nil
		}).Should(HaveKeyWithValue("TCP", [][2]int32{{1, 9089}, {9091, 65535}}))
	})

	DescribeTable("is put back",
		func(ctx SpecContext, spoil func(*networkingv1.NetworkPolicy)) {
			Eventually(ctx, ours).Should(beWhole)
			policy, err := ours(ctx)
			Expect(err).NotTo(HaveOccurred())
			change(ctx, policy, func() { spoil(policy) })
			Eventually(ctx, ours).Should(And(beWhole, HaveField("OwnerReferences", HaveLen(1))))
		},
		Entry("where its rule is widened", func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress[0].Ports = nil }),
		Entry("where it gets another rule", func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress = append(p.Spec.Ingress, admitting(8080)) }),
		Entry("where it is led to other pods", func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector = metav1.LabelSelector{} }),
		Entry("where it has lost its owner", func(p *networkingv1.NetworkPolicy) { p.OwnerReferences, p.Spec.Ingress = nil, nil }),
		Entry("where it is for egress", func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = []networkingv1.PolicyType{"Egress"} }),
	)

	It("is made again where it is deleted by hand", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		policy, err := ours(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		Eventually(ctx, func(ctx context.Context) (bool, error) {
			again, err := ours(ctx)
			return again != nil && again.UID != policy.UID, err
		}).Should(BeTrue())
	})

	It("gives way to one of somebody else, which it would widen, and comes back after it", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		theirs := create(ctx, aNetworkPolicy(apps, "deny-all", nil))
		Eventually(ctx, ours).Should(BeNil())
		Eventually(ctx, eventsAbout(apps, "todo")).Should(ContainElement("NetworkPolicyWithdrawn"))
		Expect(k8s.Delete(ctx, theirs)).To(Succeed())
		Eventually(ctx, ours).Should(beWhole)
	})

	It("gives way to one that is about the pods of its workload before there are any", func(ctx SpecContext) {
		create(ctx, aNetworkPolicy(apps, "todo-alone", app("todo")))
		Eventually(ctx, ours).Should(BeNil())
	})

	It("stays beside what is not about what comes into its pods", func(ctx SpecContext) {
		create(ctx, aNetworkPolicy(apps, "others", app("another")))
		leaving := aNetworkPolicy(apps, "leaving", nil)
		leaving.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
		create(ctx, leaving)
		create(ctx, anMCPServer(apps, "notes", home)) // its policy is ours as well
		Eventually(ctx, ours).Should(beWhole)
		Consistently(ctx, ours).Should(beWhole)
	})

	It("is not kept where somebody else sees to it", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		change(ctx, server, func() { server.Spec.Workload.NetworkPolicy = v1alpha1.PolicyUnmanaged })
		Eventually(ctx, ours).Should(BeNil())
	})

	It("is not kept for a server that runs elsewhere", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		change(ctx, server, func() { server.Spec.Workload = nil })
		Eventually(ctx, ours).Should(BeNil())
	})

	It("stays, as the pods do, where the server is not accepted any more", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		change(ctx, server, func() { server.Spec.URL += "/.well-known/x" })
		Eventually(ctx, condition(server, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		Consistently(ctx, ours).Should(beWhole)
	})

	It("leaves one of its name alone that somebody else has made", func(ctx SpecContext) {
		Eventually(ctx, ours).Should(beWhole)
		change(ctx, server, func() { server.Spec.Workload.NetworkPolicy = v1alpha1.PolicyUnmanaged })
		Eventually(ctx, ours).Should(BeNil())
		create(ctx, aNetworkPolicy(apps, "mcpauth-todo", map[string]string{v1alpha1.ServerLabel: "todo"}))
		change(ctx, server, func() { server.Spec.Workload.NetworkPolicy = v1alpha1.PolicyManaged })
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		Consistently(ctx, func(ctx context.Context) ([]networkingv1.NetworkPolicyIngressRule, error) {
			policy, err := ours(ctx)
			if policy == nil || err != nil {
				return []networkingv1.NetworkPolicyIngressRule{{}}, err
			}
			return policy.Spec.Ingress, nil
		}).Should(BeEmpty(), "neither deleted nor widened")
	})

	It("is written once", func(ctx SpecContext) {
		setRunning(ctx, startPod(ctx, deployment, "todo-1"), true)
		Eventually(ctx, condition(server, v1alpha1.ConditionProtected)).Should(Equal("True Protected"))
		for range 3 {
			_, err := operator.mcpServers().Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(server)})
			Expect(err).NotTo(HaveOccurred())
		}
		Consistently(ctx, func(context.Context) []string { return written.about("/namespaces/" + apps + "/networkpolicies") }).Should(HaveLen(1))
	})
})
