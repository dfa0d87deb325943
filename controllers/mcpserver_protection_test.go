package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

var _ = Describe("Protected", func() {
	var home, apps string
	var server *v1alpha1.MCPServer
	var deployment *appsv1.Deployment

	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
		deployment = create(ctx, aDeployment(apps, "todo", asking("todo")))
	})

	protected := func() func(context.Context) (string, error) {
		return condition(server, v1alpha1.ConditionProtected)
	}
	protectedPod := func(ctx context.Context, name string) *corev1.Pod {
		GinkgoHelper()
		pod := startPod(ctx, deployment, name)
		setRunning(ctx, pod, true)
		return pod
	}

	It("is True, and the server ready, when every pod runs the sidecar", func(ctx SpecContext) {
		create(ctx, aService(apps, "todo", intstr.FromString("mcp")))
		protectedPod(ctx, "todo-1")
		protectedPod(ctx, "todo-2")
		setRolledOut(ctx, deployment, 2, 2)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 2, Protected: 2})))
	})

	It("is False Bypassed where a Service leads to a workload without the sidecar as well", func(ctx SpecContext) {
		create(ctx, aService(apps, "todo", intstr.FromString("mcp")))
		protectedPod(ctx, "todo-1")
		setRolledOut(ctx, deployment, 1, 1)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		canary := aDeployment(apps, "todo", nil)
		canary.Name = "canary"
		create(ctx, canary)
		Eventually(ctx, protected()).Should(Equal("False Bypassed"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(ContainSubstring("as well, which has no sidecar"))
	})

	It("goes on telling of pods while the policy cannot be written", func(ctx SpecContext) {
		startPod(ctx, deployment, "todo-1")
		Eventually(ctx, protected()).ShouldNot(Equal("True Protected"))
		var policy corev1.ConfigMap
		key := client.ObjectKey{Namespace: apps, Name: injector.ConfigMapName("todo")}
		Eventually(ctx, func() error { return k8s.Get(ctx, key, &policy) }).Should(Succeed())
		immutable := true
		change(ctx, &policy, func() { policy.Immutable, policy.Data = &immutable, map[string]string{"policy.json": "{}"} })
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(HavePrefix("False"))
		Consistently(ctx, protected(), "3s").ShouldNot(Equal("True Protected"))
	})

	It("is False NoWorkload when nothing asks for the server", func(ctx SpecContext) {
		Expect(k8s.Delete(ctx, deployment)).To(Succeed())
		Eventually(ctx, protected()).Should(Equal("False NoWorkload"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(
			ContainSubstring("mcpauth.dev/server: todo"), ContainSubstring("DaemonSet or a Job, which the operator does not change")))
		Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False NoWorkload"))
	})

	It("is Unknown Pending while there is no pod, or only one that starts", func(ctx SpecContext) {
		Eventually(ctx, protected()).Should(Equal("Unknown Pending"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(ContainSubstring("Deployment " + apps + "/todo"))
		startPod(ctx, deployment, "todo-1")
		Eventually(ctx, func() (string, error) {
			c, err := readCondition(ctx, server, v1alpha1.ConditionProtected)
			if c == nil {
				return "", err
			}
			return string(c.Status) + " " + c.Message, err
		}).Should(And(HavePrefix("Unknown"), ContainSubstring("todo-1")))
	})

	It("is True when the workload is scaled to zero", func(ctx SpecContext) {
		change(ctx, deployment, func() { deployment.Spec.Replicas = new(int32) })
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(ContainSubstring("zero"))
	})

	It("is False NotInjected while pods run that are older than the label", func(ctx SpecContext) {
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		setRolledOut(ctx, deployment, 3, 0)
		Eventually(ctx, protected()).Should(Equal("False NotInjected"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(
			ContainSubstring("3 of 3 pods run without the sidecar"), ContainSubstring("kubectl rollout status")))
		Expect(server.Status.Pods).To(HaveValue(Equal(v1alpha1.PodCounts{Total: 3})))

		change(ctx, deployment, func() { deployment.Spec.Paused = true })
		Eventually(ctx, func() string { return message(ctx, server, v1alpha1.ConditionProtected) }).
			Should(ContainSubstring("kubectl rollout resume"))
	})

	It("is False NotInjected when a pod has the label and no sidecar", func(ctx SpecContext) {
		protectedPod(ctx, "todo-1")
		startOldPod(ctx, deployment, "todo-old", func(*corev1.PodSpec) {})
		Eventually(ctx, protected()).Should(Equal("False NotInjected"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(
			ContainSubstring(apps+"/todo-old"), ContainSubstring("kubectl rollout restart")))
		Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False NotInjected"))
	})

	It("is False Counterfeit for a pod that mimics the sidecar", func(ctx SpecContext) {
		always := corev1.ContainerRestartPolicyAlways
		mimic := startOldPod(ctx, deployment, "todo-mimic", func(spec *corev1.PodSpec) {
			spec.Containers[0].Ports[0].Name = ""
			spec.InitContainers = []corev1.Container{{
				Name: injector.ContainerName, Image: "registry.example.com/lookalike", RestartPolicy: &always,
				Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: injector.DefaultPort}},
			}}
		})
		setRunning(ctx, mimic, true)
		Eventually(ctx, protected()).Should(Equal("False Counterfeit"))
		Eventually(ctx, func() string { return message(ctx, server, v1alpha1.ConditionProtected) }).
			Should(And(ContainSubstring("pod "+apps+"/todo-mimic"), ContainSubstring("find out who wrote it")))
		Expect(server.Status.Pods).To(HaveValue(Equal(v1alpha1.PodCounts{Total: 1})))
	})

	It("is False Bypassed when a Service leads to the app's own port, until it does not", func(ctx SpecContext) {
		protectedPod(ctx, "todo-1")
		setRolledOut(ctx, deployment, 1, 1)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		service := create(ctx, aService(apps, "around", intstr.FromInt32(8080)))
		Eventually(ctx, protected()).Should(Equal("False Bypassed"))
		Expect(message(ctx, server, v1alpha1.ConditionProtected)).To(And(ContainSubstring(apps+"/around"), ContainSubstring("targetPort")))
		change(ctx, service, func() { service.Spec.Ports[0].TargetPort = intstr.FromString("mcp") })
		Eventually(ctx, protected()).Should(Equal("True Protected"))
	})

	It("is False Outdated for a pod whose sidecar is of an earlier version, with the command that replaces it", func(ctx SpecContext) {
		protectedPod(ctx, "todo-1")
		old := startPod(ctx, deployment, "todo-2")
		change(ctx, old, func() { old.Spec.InitContainers[0].Image = "registry.example.com/sidecar:earlier" })
		setRunning(ctx, old, true)
		Eventually(ctx, protected()).Should(Equal("False Outdated"))
		Eventually(ctx, protectedMessage(server)).Should(And(
			HavePrefix("Deployment "+apps+"/todo: pod "+apps+"/todo-2: "), ContainSubstring("registry.example.com/sidecar:earlier"),
			ContainSubstring("kubectl rollout restart -n "+apps+" deployment/todo"), ContainSubstring("spec.sidecar.rollout: Automatic")))
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 2, Protected: 1})))
	})

	It("gives the gravest reason, and names one object of each before a second of any", func(ctx SpecContext) {
		for _, name := range []string{"bare-1", "bare-2", "bare-3", "bare-4", "bare-5", "bare-6"} {
			startOldPod(ctx, deployment, name, func(*corev1.PodSpec) {})
		}
		mimic := startOldPod(ctx, deployment, "todo-mimic", func(spec *corev1.PodSpec) {
			spec.InitContainers = []corev1.Container{{Name: injector.ContainerName, Image: "registry.example.com/lookalike"}}
		})
		setRunning(ctx, mimic, true)
		old := startPod(ctx, deployment, "todo-old")
		change(ctx, old, func() { old.Spec.InitContainers[0].Image = "registry.example.com/sidecar:earlier" })
		setRunning(ctx, old, true)
		pods.set(protectedPod(ctx, "todo-open"), open)
		setRunning(ctx, startPod(ctx, deployment, "todo-unready"), false)
		create(ctx, aService(apps, "around", intstr.FromInt32(8080)))
		Eventually(ctx, protected()).Should(Equal("False Counterfeit"))
		inOrder := `(?s)^pod \S+/todo-mimic: .*; pod \S+/bare-1 runs .*; Service \S+/around .*; port 8080 of pod \S+/todo-open answers.*; ` +
			`Deployment \S+/todo: pod \S+/todo-old: .*; the sidecar of pod \S+/todo-unready is not ready.*; pod \S+/bare-2 .*and \d+ more$`
		Eventually(ctx, protectedMessage(server)).Should(MatchRegexp(inOrder))
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 10, Protected: 1})))
	})

	It("is False NotReady when the sidecar does not serve", func(ctx SpecContext) {
		setRunning(ctx, startPod(ctx, deployment, "todo-1"), false)
		Eventually(ctx, protected()).Should(Equal("False NotReady"))
	})

	It("stays True while a further pod starts, and when one ends", func(ctx SpecContext) {
		protectedPod(ctx, "todo-1")
		setRolledOut(ctx, deployment, 1, 1)
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		second := startPod(ctx, deployment, "todo-2")
		ended := startOldPod(ctx, deployment, "todo-ended", func(*corev1.PodSpec) {})
		changeStatus(ctx, ended, func() { ended.Status.Phase = corev1.PodFailed })
		Eventually(ctx, counted(server)).Should(HaveValue(Equal(v1alpha1.PodCounts{Total: 2, Protected: 1})))
		Eventually(ctx, protected()).Should(Equal("True Protected"))
		setRunning(ctx, second, true)
		Eventually(ctx, func() (int32, error) {
			_, err := readCondition(ctx, server, v1alpha1.ConditionProtected)
			return server.Status.Pods.Protected, err
		}).Should(Equal(int32(2)))
	})

	It("is True and the server not ready while no pod of the workload is ready", func(ctx SpecContext) {
		pod := protectedPod(ctx, "todo-1")
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		changeStatus(ctx, pod, func() { pod.Status.Conditions[0].Status = corev1.ConditionFalse })
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("False NotReady"))
		Expect(protected()(ctx)).To(Equal("True Protected"))
	})
})

// protectedMessage reads the message of Protected again and again.
func protectedMessage(server *v1alpha1.MCPServer) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		c, err := readCondition(ctx, server, v1alpha1.ConditionProtected)
		if c == nil || err != nil {
			return "", err
		}
		return c.Message, nil
	}
}

// counted reads how many pods there are.
func counted(server *v1alpha1.MCPServer) func(context.Context) (*v1alpha1.PodCounts, error) {
	return func(ctx context.Context) (*v1alpha1.PodCounts, error) {
		_, err := readCondition(ctx, server, v1alpha1.ConditionProtected)
		return server.Status.Pods, err
	}
}
