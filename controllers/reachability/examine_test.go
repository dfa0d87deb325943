package reachability

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const appPort = 8080

// pod has an app whose port has no name, and a sidecar that took the name over.
func pod() *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "todo-1", Labels: map[string]string{"app": "todo", "tier": "back"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "mcpauth-sidecar", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: 15080}}}},
			Containers: []corev1.Container{{Name: "app", Ports: []corev1.ContainerPort{
				{ContainerPort: appPort}, {Name: "also", ContainerPort: appPort}, {Name: "datagrams", ContainerPort: appPort, Protocol: corev1.ProtocolUDP},
				{Name: "metrics", ContainerPort: 9090},
			}}},
		},
	}
}

type rule = networkingv1.NetworkPolicyIngressRule

func policy(name string, rules ...rule) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name},
		Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: rules},
	}
}

func tcp(port intstr.IntOrString, end ...int32) networkingv1.NetworkPolicyPort {
	p := networkingv1.NetworkPolicyPort{Port: &port}
	if len(end) > 0 {
		p.EndPort = &end[0]
	}
	return p
}

func of(protocol corev1.Protocol, p networkingv1.NetworkPolicyPort) networkingv1.NetworkPolicyPort {
	p.Protocol = &protocol
	return p
}

func ports(ports ...networkingv1.NetworkPolicyPort) rule { return rule{Ports: ports} }

func from(r rule) rule {
	r.From = []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}
	return r
}

func TestWhatARuleAdmits(t *testing.T) {
	number, name := intstr.FromInt32, intstr.FromString
	for _, test := range []struct {
		name  string
		rules []rule
		open  bool
		all   bool
	}{
		{"nothing at all", nil, false, false},
		{"everything", []rule{{}}, true, true},
		{"every port to some", []rule{from(rule{})}, true, false},
		{"the port", []rule{ports(tcp(number(appPort)))}, true, true},
		{"the port to some", []rule{from(ports(tcp(number(appPort))))}, true, false},
		{"the port to some, then to everybody", []rule{from(ports(tcp(number(appPort)))), ports(tcp(number(appPort)))}, true, true},
		{"the port among others", []rule{ports(tcp(number(15080)), tcp(number(appPort)))}, true, true},
		{"the port in a later rule", []rule{ports(tcp(number(15080))), from(ports(tcp(number(appPort))))}, true, false},
		{"the sidecar's ports", []rule{ports(tcp(number(15080)), tcp(number(15081)))}, false, false},
		{"the port of TCP by name", []rule{ports(of(corev1.ProtocolTCP, tcp(number(appPort))))}, true, true},
		{"the port of UDP", []rule{ports(of(corev1.ProtocolUDP, tcp(number(appPort))))}, false, false},
		{"all ports of TCP", []rule{ports(of(corev1.ProtocolTCP, networkingv1.NetworkPolicyPort{}))}, true, true},
		{"all ports of UDP", []rule{ports(of(corev1.ProtocolUDP, networkingv1.NetworkPolicyPort{}))}, false, false},
		{"all ports of SCTP", []rule{ports(of(corev1.ProtocolSCTP, networkingv1.NetworkPolicyPort{}))}, false, false},
		{"a range around the port", []rule{ports(tcp(number(8000), 9000))}, true, true},
		{"a range that begins at the port", []rule{ports(tcp(number(appPort), 9000))}, true, true},
		{"a range that ends at the port", []rule{ports(tcp(number(1), appPort))}, true, true},
		{"a range below the port", []rule{ports(tcp(number(1), appPort-1))}, false, false},
		{"a range above the port", []rule{ports(tcp(number(appPort+1), 65535))}, false, false},
		{"the name that the sidecar took over", []rule{ports(tcp(name("mcp")))}, false, false},
		{"another name of the port", []rule{ports(tcp(name("also")))}, true, true},
		{"a name of the port for UDP", []rule{ports(tcp(name("datagrams")))}, false, false},
		{"a name of another port", []rule{ports(tcp(name("metrics")))}, false, false},
		{"a name of no port", []rule{ports(tcp(name("nothing")))}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			verdict := Examine([]*networkingv1.NetworkPolicy{policy("p", test.rules...)}, pod(), appPort)
			if !verdict.Isolated {
				t.Error("the policy is about the pod, so that what it does not admit is refused")
			}
			if open := len(verdict.Openings) > 0; open != test.open {
				t.Fatalf("open = %v, want %v", open, test.open)
			}
			if test.open && verdict.Openings[0].Everybody != test.all {
				t.Errorf("open to everybody = %v, want %v", verdict.Openings[0].Everybody, test.all)
			}
		})
	}
}

func TestWhatAPolicyIsAbout(t *testing.T) {
	selecting := func(selector metav1.LabelSelector) *networkingv1.NetworkPolicy {
		p := policy("p")
		p.Spec.PodSelector = selector
		return p
	}
	types := func(types ...networkingv1.PolicyType) *networkingv1.NetworkPolicy {
		p := policy("p")
		p.Spec.PolicyTypes = types
		return p
	}
	for _, test := range []struct {
		name   string
		policy *networkingv1.NetworkPolicy
		want   bool
	}{
		{"every pod", policy("p"), true},
		{"the pod by a label", selecting(metav1.LabelSelector{MatchLabels: map[string]string{"app": "todo"}}), true},
		{"the pod by an expression", selecting(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"front", "back"}},
		}}), true},
		{"other pods", selecting(metav1.LabelSelector{MatchLabels: map[string]string{"app": "notes"}}), false},
		{"pods that have one label more", selecting(metav1.LabelSelector{MatchLabels: map[string]string{"app": "todo", "x": "y"}}), false},
		{"nobody knows what", selecting(metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}), false},
		{"both directions", types(networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress), true},
		{"what leaves the pod", types(networkingv1.PolicyTypeEgress), false},
		{"what the API server fills in", types(), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Selects(test.policy, pod().Labels); got != test.want {
				t.Errorf("Selects = %v, want %v", got, test.want)
			}
			if got := Examine([]*networkingv1.NetworkPolicy{test.policy}, pod(), appPort).Isolated; got != test.want {
				t.Errorf("Isolated = %v, want %v", got, test.want)
			}
		})
	}
}

func TestPoliciesAddUp(t *testing.T) {
	deny, sidecar := policy("deny"), policy("sidecar", ports(tcp(intstr.FromInt32(15080))))
	wide, webs := policy("wide", rule{}), policy("webs", from(rule{}))
	elsewhere := policy("elsewhere", rule{})
	elsewhere.Spec.PodSelector.MatchLabels = map[string]string{"app": "notes"}
	verdict := Examine([]*networkingv1.NetworkPolicy{deny, webs, sidecar, wide, elsewhere}, pod(), appPort)
	want := Verdict{Isolated: true, Openings: []Opening{{Policy: webs}, {Policy: wide, Everybody: true}}}
	if diff := cmp.Diff(want, verdict); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	if got := verdict.Widest().Policy.Name; got != "wide" {
		t.Errorf("the widest opening is %s, want wide", got)
	}
	if got := Examine([]*networkingv1.NetworkPolicy{webs, deny}, pod(), appPort).Widest().Policy.Name; got != "webs" {
		t.Errorf("the widest opening is %s, want webs", got)
	}
	if diff := cmp.Diff(Verdict{}, Examine(nil, pod(), appPort)); diff != "" {
		t.Errorf("verdict without policies (-want +got):\n%s", diff)
	}
}
