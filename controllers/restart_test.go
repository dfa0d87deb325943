package controllers

import (
	"context"
	"net"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// reconciliations counts how often a controller has looked at an object, in all
// operators of this process together.
func reconciliations(controller string) int {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	count := 0
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "controller" && label.GetValue() == controller {
					count += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return count
}

var controllerNames = []string{"authorizationserver", "identityprovider", "mcpserver", "scope", "oauthclient"}

// lookedAt waits until every controller has looked at something since the counts
// were taken.
func lookedAt(ctx context.Context, since map[string]int) {
	GinkgoHelper()
	for _, name := range controllerNames {
		Eventually(ctx, func() int { return reconciliations(name) }).Should(BeNumerically(">", since[name]), "controller %s must look", name)
	}
}

func counts() map[string]int {
	all := make(map[string]int)
	for _, name := range controllerNames {
		all[name] = reconciliations(name)
	}
	return all
}

var _ = Describe("An operator over what is as it should be", func() {
	var home, apps string
	var all []client.Object

	BeforeEach(func(ctx context.Context) {
		var authz *v1alpha1.AuthorizationServer
		authz, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server := create(ctx, anMCPServer(apps, "todo", home))
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		create(ctx, aService(apps, "todo", intstr.FromString("mcp")))
		setRunning(ctx, startPod(ctx, deployment, "todo-1"), true)
		setRolledOut(ctx, deployment, 1, 1)
		all = []client.Object{
			authz, server, create(ctx, aScope(apps, "read", "todo:read", "todo")),
			create(ctx, anOAuthClient(apps, "agent", "todo")), create(ctx, validStaticProvider(home)),
		}
		for _, object := range all {
			Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"), "%T", object)
		}
		settled := -1
		Eventually(ctx, func() bool {
			before := settled
			settled = len(written.about("/"))
			return settled == before
		}).WithPolling(quiet).Should(BeTrue(), "the operator must come to rest")
	})

	It("writes nothing when somebody annotates it", func(ctx SpecContext) {
		before, seen := written.about("/"), counts()
		for _, object := range all {
			touch(ctx, object)
		}
		lookedAt(ctx, seen)
		Consistently(ctx, func() []string { return written.about("/") }).WithTimeout(4 * quiet).Should(Equal(before))
	})

	It("writes nothing when it is started anew", func(ctx SpecContext) {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		beside := *hook
		beside.LocalServingPort = free.Addr().(*net.TCPAddr).Port
		Expect(free.Close()).To(Succeed())
		// The first one goes on, which is what a replica sees that takes the lease over.
		running, stop := context.WithCancel(context.Background())
		DeferCleanup(stop)
		mine, before, seen := &writes{}, written.about("/"), counts()
		second := start(running, mine.observe(operator.manager.GetConfig()), operator.manager.GetScheme(), &beside)
		Eventually(ctx, second.compiled.Result).ShouldNot(BeNil(), "the second operator must compile")
		lookedAt(ctx, seen)
		Consistently(ctx, func() []string { return mine.about("/") }).WithTimeout(6 * quiet).Should(BeEmpty())
		Expect(written.about("/")).To(Equal(before), "nor has the first one to put anything back")
	})
})
