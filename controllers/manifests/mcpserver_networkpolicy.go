package manifests

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// lastPort is the highest port there is.
const lastPort = 65535

// NetworkPolicyName is the name of the NetworkPolicy that closes the app's port of an
// MCPServer's pods, beside it.
func NetworkPolicyName(server string) string { return "mcpauth-" + server }

// NetworkPolicy closes one TCP port of the server's pods, its spec.workload.port, and
// leaves all others open: a policy cannot refuse, so this one admits everything else.
// ICMP is not what NetworkPolicies are about. The sidecar reaches the port within the
// pod, where no policy applies.
func NetworkPolicy(server *v1alpha1.MCPServer) *networkingv1ac.NetworkPolicyApplyConfiguration {
	port := server.Spec.Workload.Port
	others := networkingv1ac.NetworkPolicyIngressRule().WithPorts(
		append(ports(corev1.ProtocolTCP, 1, port-1), ports(corev1.ProtocolTCP, port+1, lastPort)...)...).WithPorts(
		append(ports(corev1.ProtocolUDP, 1, lastPort), ports(corev1.ProtocolSCTP, 1, lastPort)...)...)
	return networkingv1ac.NetworkPolicy(NetworkPolicyName(server.Name), server.Namespace).
		WithLabels(labels("mcpauth-network-policy", server.Name)).
		WithOwnerReferences(ownedBy(server, mcpServerKind)).
		WithSpec(networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(serverSelector(server.Name))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(others))
}

// ports is a range; nothing where it is empty.
func ports(protocol corev1.Protocol, from, to int32) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	if from > to {
		return nil
	}
	return []*networkingv1ac.NetworkPolicyPortApplyConfiguration{
		networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(from)).WithEndPort(to),
	}
}

func serverSelector(server string) map[string]string {
	return map[string]string{v1alpha1.ServerLabel: server}
}

// ServerOfNetworkPolicy is the MCPServer, in its namespace, that a NetworkPolicy of our
// making is for. It reports false for those of others, and for one of ours that
// somebody has changed so that it is about other pods too.
func ServerOfNetworkPolicy(policy *networkingv1.NetworkPolicy) (string, bool) {
	selector := policy.Spec.PodSelector
	server := selector.MatchLabels[v1alpha1.ServerLabel]
	ours := server != "" && policy.Name == NetworkPolicyName(server) && len(selector.MatchLabels) == 1 && len(selector.MatchExpressions) == 0
	return server, ours
}
