package injector

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func TestAttack33_AServiceThatLeadsPastTheSidecarIsFound(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*corev1.Service)
		pod  func(*corev1.Pod)
		want []v1alpha1.Reason
		says string
	}{
		{"the name leads to the sidecar", func(*corev1.Service) {}, nil, nil, ""},
		{"the number of the app", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(8080) }, nil,
			reasons(v1alpha1.ReasonBypassed), "Service apps/todo leads from port 80 to port 8080 of pod apps/todo, past the sidecar; set its targetPort to mcp"},
		{"the number of the app by default", func(s *corev1.Service) { s.Spec.Ports[0].Port, s.Spec.Ports[0].TargetPort = 8080, intstr.IntOrString{} }, nil,
			reasons(v1alpha1.ReasonBypassed), "set its targetPort to mcp"},
		{"another name of the app's port", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromString("web") },
			func(p *corev1.Pod) { appOf(p).Ports[0].Name = "web" }, reasons(v1alpha1.ReasonBypassed), "past the sidecar"},
		{"a pod without the sidecar", func(*corev1.Service) {}, func(p *corev1.Pod) {
			p.Spec.InitContainers, appOf(p).Ports[0].Name = nil, "mcp"
		}, reasons(v1alpha1.ReasonBypassed), "set its targetPort to the name of that port"},
		{"each port counts", func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: 81, TargetPort: intstr.FromInt32(8080)}, corev1.ServicePort{Port: 82, TargetPort: intstr.FromInt32(8080)})
		}, nil, reasons(v1alpha1.ReasonBypassed, v1alpha1.ReasonBypassed), "from port 82"},
		{"the number of the sidecar", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(DefaultPort) }, nil, nil, ""},
		{"another port of the pod", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(9090) }, nil, nil, ""},
		{"a name that nobody has", func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromString("nowhere") }, nil, nil, ""},
		{"another protocol", func(s *corev1.Service) {
			s.Spec.Ports[0] = corev1.ServicePort{Port: 80, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(8080)}
		}, nil, nil, ""},
		{"other pods", func(s *corev1.Service) {
			s.Spec.Selector["app"], s.Spec.Ports[0].TargetPort = "other", intstr.FromInt32(8080)
		}, nil, nil, ""},
		{"no pods at all", func(s *corev1.Service) { s.Spec.Selector, s.Spec.Ports[0].TargetPort = nil, intstr.FromInt32(8080) }, nil, nil, ""},
		{"another namespace", func(s *corev1.Service) { s.Namespace, s.Spec.Ports[0].TargetPort = "other", intstr.FromInt32(8080) }, nil, nil, ""},
		{"a name outside the cluster", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.Ports[0].TargetPort = corev1.ServiceTypeExternalName, intstr.FromInt32(8080)
		}, nil, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			svc := &corev1.Service{Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": "todo"},
				Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("mcp"), Protocol: corev1.ProtocolTCP}},
			}}
			svc.Namespace, svc.Name = "apps", "todo"
			test.edit(svc)
			pod := protectedPod(t, func(p *corev1.Pod) { p.Labels["app"] = "todo" })
			if test.pod != nil {
				test.pod(pod)
			}
			compareFindings(t, AssessService(svc, pod, testConfig()), test.want, test.says)
		})
	}
}
