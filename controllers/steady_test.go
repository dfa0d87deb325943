package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

var _ = Describe("The operator in a steady state", func() {
	It("writes nothing, however often it reconciles", func(ctx SpecContext) {
		authz, home := readyAuthorizationServer(ctx)
		apps := namespace(ctx, nil)
		server := create(ctx, anMCPServer(apps, "todo", home))
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		create(ctx, aService(apps, "todo", intstr.FromString("mcp")))
		setRunning(ctx, startPod(ctx, deployment, "todo-1"), true)
		setRolledOut(ctx, deployment, 1, 1)
		scope := create(ctx, aScope(apps, "read", "todo:read", "todo"))
		oauth := create(ctx, anOAuthClient(apps, "agent", "todo"))
		idp := anOIDCProvider(home)
		idp.Spec.OIDC.ClientSecretRef = nil
		create(ctx, idp)
		for _, object := range []client.Object{authz, server, scope, oauth, idp} {
			Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"), "%T", object)
		}
		// What is under way may end: the last event about a status that was written.
		about := func() []string { return append(written.about(home), written.about(apps)...) }
		var settled []string
		Eventually(ctx, func() bool {
			before := settled
			settled = about()
			return len(before) == len(settled)
		}).WithPolling(quiet).Should(BeTrue())

		mgr := operator.manager
		reconcilers := []struct {
			object     client.Object
			reconciler reconcile.Reconciler
		}{
			{authz, &AuthorizationServerReconciler{Client: mgr.GetClient(), Compiled: operator.compiled, Image: authServerImage, Now: time.Now}},
			{server, operator.mcpServers()},
			{scope, &ScopeReconciler{Client: mgr.GetClient(), Compiled: operator.compiled, Now: time.Now}},
			{oauth, &OAuthClientReconciler{Client: mgr.GetClient(), Metadata: mgr.GetCache(), Compiled: operator.compiled, Now: time.Now}},
			{idp, &IdentityProviderReconciler{Client: mgr.GetClient(), Compiled: operator.compiled, Now: time.Now}},
		}
		for range 2 {
			for _, r := range reconcilers {
				_, err := r.reconciler.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(r.object)})
				Expect(err).NotTo(HaveOccurred(), "%T", r.object)
			}
		}
		Expect(about()).To(Equal(settled), "the requests that change something")
	})

	It("writes each kind's status from one place, and few times on the way", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		apps := namespace(ctx, nil)
		server := anMCPServer(apps, "todo", home)
		server.Spec.Workload = nil
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		writes := func(context.Context) []string { return written.about("/namespaces/" + apps + "/") }
		Eventually(ctx, writes).Should(HaveLen(2), "one policy and one status")
		Consistently(ctx, writes).Should(HaveLen(2), "one policy and one status")
	})
})
