package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Everything here has a namespace of its own, since not all of it becomes Ready.
const doors = "doors"

// protectedServer is an MCPServer with a Deployment that listens at the address. What
// the container has beside that is in more.
func protectedServer(name, listen, more string) string {
	return fmt.Sprintf(`
apiVersion: mcpauth.dev/v1alpha1
kind: MCPServer
metadata: {name: %[1]s, namespace: doors}
spec:
  authorizationServerRef: {name: main, namespace: mcpauth-system}
  url: "https://%[1]s.example.com/mcp"
  workload: {port: 8080}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: doors, annotations: {mcpauth.dev/server: %[1]s}}
spec:
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: todo
          image: mcpauth/todo:dev
          imagePullPolicy: IfNotPresent
          args: ["--listen", "%[2]s"]
          ports: [{name: mcp, containerPort: 8080}]
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
%[3]s
`, name, listen, more)
}

// protection reads "STATUS Reason: message" of a server's condition Protected.
func protection(namespace, server string) func(context.Context) string {
	return func(ctx context.Context) string {
		return kubectl(ctx, "-n", namespace, "get", "mcpserver", server, "-o",
			`jsonpath={range .status.conditions[?(@.type=="Protected")]}{.status} {.reason}: {.message}{end}`)
	}
}

// podsOf names the pods of a Deployment that are not being deleted.
func podsOf(ctx context.Context, namespace, app string) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "-n", namespace, "get", "pods", "-l", "app="+app, "-o",
		`go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}`))
}

// reached has another pod connect to an address, and reports whether it got through
// and what it said.
func reached(ctx context.Context, address string) (bool, string) {
	GinkgoHelper()
	apply(ctx, fmt.Sprintf(`
apiVersion: batch/v1
kind: Job
metadata: {name: intruder, namespace: doors}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: dial
          image: mcpauth/dial:dev
          imagePullPolicy: IfNotPresent
          args: [%q]
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
`, address))
	defer kubectl(ctx, "-n", doors, "delete", "job", "intruder", "--cascade=foreground", "--wait=true")
	ended := func(ctx context.Context) string {
		return kubectl(ctx, "-n", doors, "get", "job", "intruder", "-o", `jsonpath={.status.succeeded}/{.status.failed}`)
	}
	Eventually(ended).WithContext(ctx).Should(Or(Equal("1/"), Equal("/1")), "the intruder ends")
	through := ended(ctx) == "1/"
	return through, kubectl(ctx, "-n", doors, "logs", "job/intruder")
}

func addressOf(ctx context.Context, namespace, app string) string {
	GinkgoHelper()
	ip := kubectl(ctx, "-n", namespace, "get", "pods", "-l", "app="+app, "--field-selector=status.phase=Running", "-o", "jsonpath={.items[0].status.podIP}")
	Expect(ip).NotTo(BeEmpty())
	return ip + ":8080"
}

var _ = Describe("The protection of a server", Ordered, func() {
	BeforeAll(func(ctx context.Context) {
		apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: doors}\n")
		DeferCleanup(func(ctx context.Context) {
			kubectl(ctx, "delete", "namespace", doors, "--ignore-not-found", "--timeout=120s")
		}, NodeTimeout(3*time.Minute))
	}, NodeTimeout(time.Minute))

	It("Attack 33: nobody connects to the port of an app that listens on its loopback address", func(ctx context.Context) {
		address := addressOf(ctx, "apps", "todo")
		through, said := reached(ctx, address)
		Expect(through).To(BeFalse(), said)
		Expect(said).To(ContainSubstring(address))
		_, err := play.Kubectl.Run(ctx, "get", "--raw", "/api/v1/namespaces/apps/pods/"+podsOf(ctx, "apps", "todo")[0]+":8080/proxy/healthz")
		Expect(err).To(HaveOccurred(), "not from the control plane either")
		Expect(protection("apps", "todo")(ctx)).To(And(HavePrefix("True Protected: "), ContainSubstring("port 8080 does not answer other pods")))
	}, NodeTimeout(3*time.Minute))

	It("says when the app's port is open, since the network does not enforce what closes it", func(ctx context.Context) {
		apply(ctx, protectedServer("open", ":8080", `
          readinessProbe: {httpGet: {port: mcp, path: /healthz}, periodSeconds: 1}`))
		By("becoming ready by a probe for the name that the sidecar has taken over")
		Eventually(func(ctx context.Context) string {
			return kubectl(ctx, "-n", doors, "get", "deployment", "open", "-o", "jsonpath={.status.availableReplicas}/{.status.updatedReplicas}")
		}).WithContext(ctx).Should(Equal("1/1"))
		kubectl(ctx, "-n", doors, "rollout", "status", "deployment/open", "--timeout=120s")

		By("closing that port, and no other, for whoever enforces it")
		var policy struct {
			Spec struct {
				Ingress []struct {
					From  []any `json:"from"`
					Ports []struct {
						Protocol      string
						Port, EndPort int
					}
				}
			}
		}
		Expect(json.Unmarshal([]byte(kubectl(ctx, "-n", doors, "get", "networkpolicy", "mcpauth-open", "-o", "json")), &policy)).To(Succeed())
		Expect(policy.Spec.Ingress).To(HaveLen(1))
		Expect(policy.Spec.Ingress[0].From).To(BeEmpty())
		var ranges []string
		for _, p := range policy.Spec.Ingress[0].Ports {
			ranges = append(ranges, fmt.Sprint(p.Protocol, " ", p.Port, "-", p.EndPort))
		}
		Expect(ranges).To(Equal([]string{"TCP 1-8079", "TCP 8081-65535", "UDP 1-65535", "SCTP 1-65535"}))

		By("saying what another pod finds")
		through, said := reached(ctx, addressOf(ctx, doors, "open"))
		if !through {
			GinkgoWriter.Println("this cluster's network enforces NetworkPolicies:", said)
			Eventually(protection(doors, "open")).WithContext(ctx).Should(HavePrefix("True Protected: "))
			return
		}
		Eventually(protection(doors, "open")).WithContext(ctx).Should(And(
			HavePrefix("False PortOpen: port 8080 of pod doors/"+podsOf(ctx, doors, "open")[0]),
			ContainSubstring("does not enforce NetworkPolicy doors/mcpauth-open"), ContainSubstring("let the server listen on 127.0.0.1 alone")))

		By("saying so until the app listens on its loopback address")
		apply(ctx, protectedServer("open", "127.0.0.1:8080", ""))
		Eventually(protection(doors, "open")).WithContext(ctx).Should(HavePrefix("True Protected: "))
	}, NodeTimeout(5*time.Minute))

	It("comes back by itself when the sidecar should be another one and rollout is Automatic", func(ctx context.Context) {
		apply(ctx, protectedServer("rolled", "127.0.0.1:8080", ""))
		Eventually(protection(doors, "rolled")).WithContext(ctx).Should(HavePrefix("True Protected: "))
		first := podsOf(ctx, doors, "rolled")
		sidecarOf := func(ctx context.Context) string {
			return kubectl(ctx, "-n", doors, "get", "pods", "-l", "app=rolled", "-o",
				`jsonpath={range .items[*].spec.initContainers[?(@.name=="mcpauth-sidecar")]}{.args} {.resources.limits.memory}{"\n"}{end}`)
		}
		change := func(spec string) {
			GinkgoHelper()
			kubectl(ctx, "-n", doors, "patch", "mcpserver", "rolled", "--type=merge", "-p", `{"spec":{"sidecar":`+spec+`}}`)
		}

		By("leaving the pods as they are while rollout is Manual")
		change(`{"port":16080}`)
		Eventually(protection(doors, "rolled")).WithContext(ctx).Should(And(
			HavePrefix("False Outdated: Deployment doors/rolled: pod doors/"+first[0]), ContainSubstring("kubectl rollout restart -n doors deployment/rolled")))
		Expect(podsOf(ctx, doors, "rolled")).To(Equal(first))

		By("replacing them once it is Automatic")
		change(`{"rollout":"Automatic"}`)
		Eventually(protection(doors, "rolled")).WithContext(ctx).Should(HavePrefix("True Protected: "))
		kubectl(ctx, "-n", doors, "rollout", "status", "deployment/rolled", "--timeout=120s")
		Eventually(sidecarOf).WithContext(ctx).Should(And(ContainSubstring("16080"), Not(ContainSubstring("15080"))))
		second := podsOf(ctx, doors, "rolled")
		Expect(second).NotTo(Equal(first))

		By("replacing them when the sidecar's resources change")
		change(`{"resources":{"limits":{"memory":"96Mi"},"requests":{"cpu":"10m","memory":"32Mi"}}}`)
		Eventually(sidecarOf).WithContext(ctx).Should(And(ContainSubstring("96Mi"), Not(ContainSubstring("128Mi"))))
		Eventually(protection(doors, "rolled")).WithContext(ctx).Should(HavePrefix("True Protected: "))

		By("leaving them alone when it is Manual again")
		kubectl(ctx, "-n", doors, "rollout", "status", "deployment/rolled", "--timeout=120s")
		third := podsOf(ctx, doors, "rolled")
		change(`{"rollout":"Manual"}`)
		Consistently(func(ctx context.Context) []string { return podsOf(ctx, doors, "rolled") }, 5*time.Second, time.Second).
			WithContext(ctx).Should(Equal(third))
	}, NodeTimeout(6*time.Minute))

	It("lets a Job with the label complete", func(ctx context.Context) {
		apply(ctx, `
apiVersion: mcpauth.dev/v1alpha1
kind: MCPServer
metadata: {name: batch, namespace: doors}
spec:
  authorizationServerRef: {name: main, namespace: mcpauth-system}
  url: "https://batch.example.com/mcp"
  workload: {port: 8080}
`)
		Eventually(protection(doors, "batch")).WithContext(ctx).Should(HavePrefix("False NoWorkload: "))
		apply(ctx, `
apiVersion: batch/v1
kind: Job
metadata: {name: batch, namespace: doors}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {mcpauth.dev/server: batch}}
    spec:
      restartPolicy: Never
      containers:
        - name: todo
          image: mcpauth/todo:dev
          imagePullPolicy: IfNotPresent
          args: ["--help"] # which ends at once, and well
          ports: [{name: mcp, containerPort: 8080}]
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
`)
		kubectl(ctx, "-n", doors, "wait", "--for=condition=Complete", "--timeout=120s", "job/batch")
		Expect(kubectl(ctx, "-n", doors, "get", "pods", "-l", "mcpauth.dev/server=batch", "-o", "jsonpath={.items[*].spec.initContainers[*].name}")).To(Equal("mcpauth-sidecar"))
		Eventually(protection(doors, "batch")).WithContext(ctx).Should(And(HavePrefix("True Protected: "), ContainSubstring("no pod of the server runs")))
	}, NodeTimeout(4*time.Minute))

	DescribeTable("Attack 40: a pod that passes for protected is refused, and not stored",
		func(ctx context.Context, metadata, spec string, words string) {
			_, err := play.Kubectl.Apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: mimic, namespace: apps, %s}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: app
      image: mcpauth/todo:dev
      ports: [{containerPort: 8080}]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  %s
`, metadata, spec), "create", "-f", "-")
			Expect(err).To(MatchError(ContainSubstring(words)))
			Expect(kubectl(ctx, "-n", "apps", "get", "pods", "--field-selector=metadata.name=mimic", "-o", "name")).To(BeEmpty())
			Expect(protection("apps", "todo")(ctx)).To(HavePrefix("True Protected: "))
		},
		Entry("by a sidecar of its own, with the label", `labels: {mcpauth.dev/server: todo}`, lookalike, "is not of the webhook's making", NodeTimeout(time.Minute)),
		Entry("by a sidecar of its own, without the label", `labels: {app: todo}`, lookalike, "only the webhook of mcpauth may write that", NodeTimeout(time.Minute)),
		Entry("by the annotation, with the label", `labels: {mcpauth.dev/server: todo}, annotations: {mcpauth.dev/injected: "mcpauth/sidecar:dev"}`, "",
			"the annotation mcpauth.dev/injected", NodeTimeout(time.Minute)),
		Entry("by the annotation, without the label", `labels: {app: todo}, annotations: {mcpauth.dev/injected: "mcpauth/sidecar:dev"}`, "",
			"the annotation mcpauth.dev/injected", NodeTimeout(time.Minute)),
	)
})

// lookalike is a native sidecar by the sidecar's name that lets everything through.
const lookalike = `initContainers:
    - name: mcpauth-sidecar
      image: mcpauth/todo:dev
      restartPolicy: Always
      args: ["--listen", ":15080"]
      ports: [{name: mcp, containerPort: 15080}]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}`
