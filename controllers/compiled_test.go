package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/compiler/kube"
)

// audience is a controller's queue without a controller.
type audience struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// listen starts one for a kind.
func listen(ctx context.Context, compiled *kube.Compiler, kind compiler.Kind) audience {
	GinkgoHelper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	DeferCleanup(queue.ShutDown)
	Expect(compiled.Source(kind).Start(ctx, queue)).To(Succeed())
	return audience{queue}
}

// told takes what is in the queue.
func (a audience) told() []types.NamespacedName {
	names := []types.NamespacedName{}
	for a.Len() > 0 {
		request, _ := a.Get()
		a.Done(request)
		names = append(names, request.NamespacedName)
	}
	return names
}

var _ = Describe("The compiler of a live cluster", func() {
	var compiled *kube.Compiler
	var home, apps string
	var todo, notes *v1alpha1.MCPServer
	var read *v1alpha1.Scope

	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		todo, notes = create(ctx, anMCPServer(apps, "todo", home)), create(ctx, anMCPServer(apps, "notes", home))
		read = create(ctx, aScope(apps, "read", "todo:read", "todo"))

		informers, err := cache.New(operator.manager.GetConfig(), cache.Options{Scheme: operator.manager.GetScheme()})
		Expect(err).NotTo(HaveOccurred())
		compiled = kube.New(informers, GinkgoLogr)
		// They outlive this node.
		running, stop := context.WithCancel(context.Background())
		ended := make(chan error, 2)
		go func() { ended <- informers.Start(running) }()
		go func() { ended <- compiled.Start(running) }()
		DeferCleanup(func(ctx context.Context) {
			stop()
			Eventually(ctx, ended).Should(Receive(BeNil()), "cache or compiler must end without an error")
			Eventually(ctx, ended).Should(Receive(BeNil()), "cache and compiler must both end")
		})
		Eventually(ctx, func() bool {
			result := compiled.Result()
			return result != nil && result.Servers[client.ObjectKeyFromObject(todo)] != nil && result.Servers[client.ObjectKeyFromObject(notes)] != nil
		}).Should(BeTrue(), "the first compilation must see the servers")
		// The informers tell of what was there already in a burst of its own.
		var last *compiler.Result
		Eventually(ctx, func() bool {
			before := last
			last = compiled.Result()
			return last == before
		}).WithPolling(quiet).Should(BeTrue(), "compilations must come to rest")
	})

	It("tells a controller that starts late of everything, once", func(ctx SpecContext) {
		servers := listen(ctx, compiled, compiler.KindMCPServer)
		Expect(servers.told()).To(ContainElements(client.ObjectKeyFromObject(todo), client.ObjectKeyFromObject(notes)))
		Consistently(ctx, servers.told).Should(BeEmpty())
	})

	It("compiles a change and tells of what came out differently, and of nothing else", func(ctx SpecContext) {
		servers, scopes := listen(ctx, compiled, compiler.KindMCPServer), listen(ctx, compiled, compiler.KindScope)
		servers.told()
		scopes.told()

		By("opening another tool")
		change(ctx, read, func() { read.Spec.Tools = append(read.Spec.Tools, "list_*") })
		Eventually(ctx, scopes.told).Should(ConsistOf(client.ObjectKeyFromObject(read)))
		Eventually(ctx, servers.told).Should(ConsistOf(client.ObjectKeyFromObject(todo)))
		Consistently(ctx, func() []types.NamespacedName { return append(servers.told(), scopes.told()...) }).Should(BeEmpty())
		Expect(compiled.Result().Servers[client.ObjectKeyFromObject(todo)].Policy.Scopes[0].Tools).To(ConsistOf("get_*", "list_*"))

		By("changing words that no sidecar reads")
		change(ctx, read, func() { read.Spec.Description = "Look at your tasks" })
		Eventually(ctx, scopes.told).Should(ConsistOf(client.ObjectKeyFromObject(read)))
		Consistently(ctx, servers.told).Should(BeEmpty())

		By("deleting a server that a Scope refers to")
		Expect(k8s.Delete(ctx, todo)).To(Succeed())
		Eventually(ctx, scopes.told).Should(ConsistOf(client.ObjectKeyFromObject(read)))
		Consistently(ctx, servers.told).Should(BeEmpty(), "whoever watches the object hears of its end")
	})

	It("does not compile again for what it does not read", func(ctx SpecContext) {
		before := compiled.Result()
		touch(ctx, todo)
		changeStatus(ctx, notes, func() { notes.Status.Clients = 7 })
		Consistently(ctx, compiled.Result).Should(BeIdenticalTo(before))
	})
})
