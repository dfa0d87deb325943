package manifests

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func serverAtPort(port int32) *v1alpha1.MCPServer {
	server := mcpServer()
	server.Spec.Workload = &v1alpha1.Workload{Port: port}
	return server
}

func TestNetworkPolicy(t *testing.T) {
	golden(t, "mcpserver_network_policy", NetworkPolicy(serverAtPort(8080)))
}

func TestNetworkPolicyAtTheEndsOfTheRange(t *testing.T) {
	for _, test := range []struct {
		port int32
		want [][2]int32
	}{
		{1, [][2]int32{{2, 65535}}},
		{2, [][2]int32{{1, 1}, {3, 65535}}},
		{65534, [][2]int32{{1, 65533}, {65535, 65535}}},
		{65535, [][2]int32{{1, 65534}}},
	} {
		var got [][2]int32
		for _, p := range NetworkPolicy(serverAtPort(test.port)).Spec.Ingress[0].Ports {
			if *p.Protocol == "TCP" {
				got = append(got, [2]int32{p.Port.IntVal, *p.EndPort})
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("TCP ports beside %d (-want +got):\n%s", test.port, diff)
		}
	}
}

func TestServerOfNetworkPolicy(t *testing.T) {
	ours := func(change func(*networkingv1.NetworkPolicy)) *networkingv1.NetworkPolicy {
		p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "mcpauth-todo"}}
		p.Spec.PodSelector.MatchLabels = map[string]string{v1alpha1.ServerLabel: "todo"}
		change(p)
		return p
	}
	for _, test := range []struct {
		name   string
		policy *networkingv1.NetworkPolicy
		want   bool
	}{
		{"as it is written", ours(func(*networkingv1.NetworkPolicy) {}), true},
		{"by another name", ours(func(p *networkingv1.NetworkPolicy) { p.Name = "mine" }), false},
		{"for another server", ours(func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels[v1alpha1.ServerLabel] = "notes" }), false},
		{"for every pod", ours(func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector = metav1.LabelSelector{} }), false},
		{"for fewer pods", ours(func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["app"] = "x" }), false},
		{"with an expression", ours(func(p *networkingv1.NetworkPolicy) {
			p.Spec.PodSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpExists}}
		}), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if server, got := ServerOfNetworkPolicy(test.policy); got != test.want || got && server != "todo" {
				t.Errorf("ServerOfNetworkPolicy = %q, %v; want %v", server, got, test.want)
			}
		})
	}
}
