package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

var _ = Describe("A Scope", func() {
	var home, apps string

	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
	})

	It("is ready when its servers are there", func(ctx SpecContext) {
		object := create(ctx, aScope(apps, "read", "todo:read", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, object, v1alpha1.ConditionReady)).To(ContainSubstring(apps + "/todo"))
		create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("says when its server is not accepted", func(ctx SpecContext) {
		refused := anMCPServer(apps, "todo", home)
		refused.Spec.URL += "/.well-known/x"
		create(ctx, refused)
		object := create(ctx, aScope(apps, "read", "todo:read", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False Invalid"))
	})

	It("loses its name on a server to an older one", func(ctx SpecContext) {
		create(ctx, anMCPServer(apps, "todo", home))
		older := create(ctx, aScope(apps, "one", "todo:read", "todo"))
		Eventually(ctx, condition(older, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		younger := create(ctx, aScope(apps, "two", "todo:read", "todo"))
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Expect(message(ctx, younger, v1alpha1.ConditionAccepted)).To(ContainSubstring(apps + "/one"))
		Expect(condition(older, v1alpha1.ConditionReady)(ctx)).To(Equal("True Ready"))
	})
})
