package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

var _ = Describe("A pod that is created", func() {
	var home, apps string
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server := create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
	})

	pod := func() *corev1.Pod { return &corev1.Pod{ObjectMeta: at(apps, "todo"), Spec: podSpec()} }
	denied := func(ctx context.Context, p *corev1.Pod, words ...string) {
		GinkgoHelper()
		err := k8s.Create(ctx, p)
		Expect(err).To(Satisfy(apierrors.IsForbidden))
		for _, word := range words {
			Expect(err).To(MatchError(ContainSubstring(word)))
		}
		Expect(apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(p), &corev1.Pod{}))).To(BeTrue(), "nothing runs unprotected")
	}

	DescribeTable("gets the sidecar where it asks for a server",
		func(ctx SpecContext, ask func(*corev1.Pod)) {
			p := pod()
			ask(p)
			create(ctx, p)
			Expect(p.Spec.InitContainers).To(HaveLen(1))
			sidecar := p.Spec.InitContainers[0]
			Expect(sidecar.Name).To(Equal(injector.ContainerName))
			Expect(sidecar.Image).To(Equal(sidecarImage))
			Expect(sidecar.RestartPolicy).To(HaveValue(Equal(corev1.ContainerRestartPolicyAlways)))
			Expect(sidecar.Ports).To(ConsistOf(HaveField("Name", "mcp")), "a Service for the name leads to the sidecar")
			Expect(p.Spec.Containers[0].Ports).To(ConsistOf(And(HaveField("Name", ""), HaveField("ContainerPort", int32(8080)))))
			Expect(p.Spec.Volumes).To(ContainElement(HaveField("VolumeSource.ConfigMap.Name", "mcpauth-todo-policy")))
			Expect(p.Labels).To(HaveKeyWithValue(v1alpha1.ServerLabel, "todo"))
		},
		Entry("in its label", func(p *corev1.Pod) { p.Labels = map[string]string{v1alpha1.ServerLabel: "todo"} }),
		Entry("in its annotation", func(p *corev1.Pod) { p.Annotations = asking("todo") }),
		Entry("in both", func(p *corev1.Pod) {
			p.Labels, p.Annotations = map[string]string{v1alpha1.ServerLabel: "todo"}, asking("todo")
		}),
	)

	It("is believed to be protected as the API server has stored it", func(ctx SpecContext) {
		p := pod()
		p.Annotations = asking("todo")
		setRunning(ctx, create(ctx, p), true)
		server := anMCPServer(apps, "todo", home)
		config, err := injector.ConfigFor(server, nil, sidecarImage)
		Expect(err).NotTo(HaveOccurred())
		Expect(injector.Assess(p, config)).To(BeEmpty())
	})

	It("is left as it is where it does not ask", func(ctx SpecContext) {
		p := create(ctx, pod())
		Expect(p.Spec.InitContainers).To(BeEmpty())
		Expect(p.Spec.Containers[0].Ports).To(ConsistOf(HaveField("Name", "mcp")))
		Expect(p.Labels).To(BeEmpty())
	})

	It("is denied where nobody knows the server, with what to do", func(ctx SpecContext) {
		p := pod()
		p.Labels = map[string]string{v1alpha1.ServerLabel: "absent"}
		denied(ctx, p, `there is no MCPServer "absent" in namespace "`+apps+`"`, "create it first, or remove the label and annotation")
	})

	It("is denied where the server is another namespace's", func(ctx SpecContext) {
		p := pod()
		p.Namespace = namespace(ctx, nil)
		p.Annotations = asking("todo")
		denied(ctx, p, `there is no MCPServer "todo" in namespace "`+p.Namespace+`"`)
	})

	It("is denied where the server is not accepted, in the words of its condition", func(ctx SpecContext) {
		broken := anMCPServer(apps, "broken", home)
		broken.Spec.URL += "/.well-known/x"
		create(ctx, broken)
		Eventually(ctx, condition(broken, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		p := pod()
		p.Labels = map[string]string{v1alpha1.ServerLabel: "broken"}
		// The webhook reads the status from the operator's cache.
		Eventually(ctx, func() error { return k8s.Create(ctx, p.DeepCopy(), client.DryRunAll) }).Should(MatchError(apierrors.IsForbidden, "a denial"))
		denied(ctx, p, `MCPServer "broken" is not accepted`, "choose another path")
	})

	It("is denied where label and annotation name two servers", func(ctx SpecContext) {
		p := pod()
		p.Labels, p.Annotations = map[string]string{v1alpha1.ServerLabel: "todo"}, asking("notes")
		denied(ctx, p, "let them agree")
	})

	It("is denied where it lacks the port to guard", func(ctx SpecContext) {
		p := pod()
		p.Labels = map[string]string{v1alpha1.ServerLabel: "todo"}
		p.Spec.Containers[0].Ports = nil
		denied(ctx, p, `MCPServer "todo" cannot protect the pod`, "8080")
	})

	DescribeTable("is denied where it passes for injected",
		func(ctx SpecContext, mimic func(*corev1.Pod)) {
			p := pod()
			p.Labels = map[string]string{v1alpha1.ServerLabel: "todo"}
			mimic(p)
			denied(ctx, p, `MCPServer "todo" cannot protect the pod`)
		},
		Entry("by a sidecar of its own", func(p *corev1.Pod) {
			always := corev1.ContainerRestartPolicyAlways
			p.Spec.Containers[0].Ports[0].Name = ""
			p.Spec.InitContainers = []corev1.Container{{
				Name: injector.ContainerName, Image: "registry.example.com/lookalike", RestartPolicy: &always,
				Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: injector.DefaultPort}},
			}}
		}),
		Entry("by a container of the sidecar's name", func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: injector.ContainerName, Image: sidecarImage})
		}),
		Entry("by the annotation alone", func(p *corev1.Pod) {
			p.Annotations = map[string]string{v1alpha1.InjectedAnnotation: sidecarImage}
		}),
	)
})
