package controllers

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

// writtenPolicy reads an MCPServer's policy as a sidecar would.
func writtenPolicy(ctx context.Context, server *v1alpha1.MCPServer) (*policy.Policy, error) {
	var m corev1.ConfigMap
	key := client.ObjectKey{Namespace: server.Namespace, Name: "mcpauth-" + server.Name + "-policy"}
	if err := k8s.Get(ctx, key, &m); err != nil {
		return nil, err
	}
	return policy.Decode([]byte(m.Data[policy.FileName]))
}

func policyScopes(server *v1alpha1.MCPServer) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		p, err := writtenPolicy(ctx, server)
		if err != nil {
			return nil, err
		}
		names := make([]string, 0, len(p.Scopes))
		for _, s := range p.Scopes {
			names = append(names, s.Name)
		}
		return names, nil
	}
}

var _ = Describe("An MCPServer", func() {
	var apps string
	BeforeEach(func(ctx context.Context) { apps = namespace(ctx, map[string]string{"team": "a"}) })

	It("waits for its AuthorizationServer, and is served as soon as that is there", func(ctx SpecContext) {
		home := namespace(ctx, nil)
		server := create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, server, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring(home + "/main"))
		Expect(condition(server, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False NotFound"))
		create(ctx, anAuthorizationServer(home))
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("True ResolvedRefs"))
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
	})

	It("is refused by an AuthorizationServer that does not allow its namespace, until it does", func(ctx SpecContext) {
		home := namespace(ctx, nil)
		authz := anAuthorizationServer(home)
		authz.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{
			From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"mcp": "allowed"}},
		}
		create(ctx, authz)
		server := create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotPermitted"))
		Expect(message(ctx, server, v1alpha1.ConditionResolvedRefs)).To(And(ContainSubstring(apps), ContainSubstring("allowedNamespaces")))

		team := &corev1.Namespace{ObjectMeta: at("", apps)}
		change(ctx, team, func() { team.Labels["mcp"] = "allowed" })
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))

		change(ctx, team, func() { delete(team.Labels, "mcp") })
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotPermitted"))
		Expect(server.Status.Issuer).To(BeEmpty(), "nobody issues tokens for it any more")
		_, err := writtenPolicy(ctx, server)
		Expect(err).NotTo(HaveOccurred(), "the pods that run need their policy")
	})

	It("loses its URL to an older one, which goes on", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		older := create(ctx, anMCPServer(apps, "one", home))
		Eventually(ctx, condition(older, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
		younger := anMCPServer(apps, "two", home)
		younger.Spec.URL = older.Spec.URL
		create(ctx, younger)
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Expect(message(ctx, younger, v1alpha1.ConditionAccepted)).To(ContainSubstring(apps + "/one"))
		Expect(condition(older, v1alpha1.ConditionAccepted)(ctx)).To(Equal("True Accepted"))
		Expect(k8s.Delete(ctx, older)).To(Succeed())
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
	})

	It("is refused with a URL where metadata is served", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		server := anMCPServer(apps, "todo", home)
		server.Spec.URL += "/.well-known/x"
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False Invalid"))
	})

	It("gets a policy that a sidecar can start from, and that follows its Scopes", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		server := create(ctx, anMCPServer(apps, "todo", home))
		create(ctx, aScope(apps, "read", "todo:read", "todo"))
		Eventually(ctx, policyScopes(server)).Should(ConsistOf("todo:read"))
		p, err := writtenPolicy(ctx, server)
		Expect(err).NotTo(HaveOccurred())
		Expect(p.Resource).To(Equal(server.Spec.URL))
		Expect(p.Upstream).To(Equal(policy.Upstream{Port: 8080, Path: "/mcp"}))

		var keys corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: home, Name: "mcpauth-main-keys"}, &keys)).To(Succeed())
		ring, err := keyring.Decode(keys.Data[keyring.SecretKey])
		Expect(err).NotTo(HaveOccurred())
		published, err := json.Marshal(ring.JWKS())
		Expect(err).NotTo(HaveOccurred())
		Expect(string(p.JWKS)).To(MatchJSON(published))

		write := create(ctx, aScope(apps, "write", "todo:write", "todo"))
		Eventually(ctx, policyScopes(server)).Should(ConsistOf("todo:read", "todo:write"))
		Eventually(ctx, func() ([]string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(server), server)
			return server.Status.Scopes, err
		}).Should(ConsistOf("todo:read", "todo:write"))
		Expect(k8s.Delete(ctx, write)).To(Succeed())
		Eventually(ctx, policyScopes(server)).Should(ConsistOf("todo:read"))
	})

	It("keeps the keys of its policy, and gets new scopes, while the key Secret is damaged", func(ctx SpecContext) {
		authz, home := readyAuthorizationServer(ctx)
		server := create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		before, err := writtenPolicy(ctx, server)
		Expect(err).NotTo(HaveOccurred())
		secret := &corev1.Secret{ObjectMeta: at(home, "mcpauth-main-keys")}
		change(ctx, secret, func() { secret.Data = nil })
		Eventually(ctx, condition(authz, v1alpha1.ConditionProgrammed)).Should(Equal("False Invalid"))
		create(ctx, aScope(apps, "read", "todo:read", "todo"))
		Eventually(ctx, policyScopes(server)).Should(ConsistOf("todo:read"))
		after, err := writtenPolicy(ctx, server)
		Expect(err).NotTo(HaveOccurred())
		Expect(after.JWKS).To(MatchJSON(before.JWKS))

		By("restarting the operator, which has forgotten the keys then")
		compiled := operator.compiled.Result().Servers[client.ObjectKeyFromObject(server)]
		kept, err := operator.mcpServers().bootstrapKeys(ctx, &mcpServer{object: server, compiled: compiled})
		Expect(err).NotTo(HaveOccurred())
		Expect(kept).To(MatchJSON(before.JWKS))
	})

	It("waits for keys where there never were any", func(ctx SpecContext) {
		home := namespace(ctx, nil)
		secret := &corev1.Secret{ObjectMeta: at(home, "mcpauth-main-keys")}
		create(ctx, secret)
		create(ctx, anAuthorizationServer(home))
		server := create(ctx, anMCPServer(apps, "todo", home))
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("False Pending"))
		Expect(message(ctx, server, v1alpha1.ConditionProgrammed)).To(ContainSubstring("keys of AuthorizationServer " + home + "/main"))
		Consistently(ctx, templateLabel(deployment)).Should(BeEmpty(), "pods without a policy could not start")
	})

	It("is ready without a workload, which it says it cannot vouch for", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		server := anMCPServer(apps, "todo", home)
		server.Spec.Workload = nil
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(condition(server, v1alpha1.ConditionProtected)(ctx)).To(Equal("Unknown Unmanaged"))
		Expect(server.Status.Pods).To(BeNil())
		Expect(server.Status.ResourceID).To(Equal(apps + "-todo"))
		Expect(server.Status.MetadataURL).To(Equal("https://todo." + apps + ".example.com/.well-known/oauth-protected-resource/mcp"))
	})

	It("is not ready while its AuthorizationServer is not available", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		server := anMCPServer(apps, "todo", home)
		server.Spec.Workload = nil
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		makeAvailable(ctx, home, false)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("False NotReady"))
		Expect(message(ctx, server, v1alpha1.ConditionReady)).To(ContainSubstring("AuthorizationServer " + home + "/main"))
		makeAvailable(ctx, home, true)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("counts the OAuthClients that may reach it", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		server := create(ctx, anMCPServer(apps, "todo", home))
		create(ctx, anOAuthClient(apps, "one", "todo"))
		create(ctx, anOAuthClient(apps, "two", "todo"))
		Eventually(ctx, func() (int32, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(server), server)
			return server.Status.Clients, err
		}).Should(Equal(int32(2)))
	})
})

var _ = Describe("The workload of an MCPServer", func() {
	var home, apps string
	var server *v1alpha1.MCPServer

	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
	})

	DescribeTable("is labelled where it asks for the server, so that its pods get the sidecar",
		func(ctx SpecContext, workload func() client.Object) {
			made := create(ctx, workload())
			Eventually(ctx, templateLabel(made)).Should(Equal("todo"))
			Eventually(ctx, eventsAbout(apps, "todo")).Should(ContainElement("WorkloadLabelled"))
		},
		Entry("a Deployment with the annotation", func() client.Object { return aDeployment(apps, "app", asking("todo")) }),
		Entry("a Deployment whose pod template has the annotation", func() client.Object {
			d := aDeployment(apps, "app", nil)
			d.Spec.Template.Annotations = asking("todo")
			return d
		}),
		Entry("a StatefulSet with the annotation", func() client.Object { return aStatefulSet(apps, "app", asking("todo")) }),
	)

	It("is left alone where it does not ask", func(ctx SpecContext) {
		bystander := create(ctx, aDeployment(apps, "other", nil))
		create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, condition(server, v1alpha1.ConditionProtected)).ShouldNot(Equal("False NoWorkload"))
		Expect(templateLabel(bystander)(ctx)).To(BeEmpty())
		Expect(bystander.Generation).To(Equal(int64(1)))
	})

	It("is released when it does not ask any more", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		change(ctx, deployment, func() { deployment.Annotations = nil })
		Eventually(ctx, templateLabel(deployment)).Should(BeEmpty())
		Expect(deployment.Spec.Template.Labels).To(Equal(app("todo")), "only our own label goes")
		Eventually(ctx, condition(server, v1alpha1.ConditionProtected)).Should(Equal("False NoWorkload"))
	})

	It("keeps a label that its owner wrote", func(ctx SpecContext) {
		deployment := aDeployment(apps, "todo", nil)
		deployment.Spec.Template.Labels[v1alpha1.ServerLabel] = "todo"
		create(ctx, deployment)
		Eventually(ctx, condition(server, v1alpha1.ConditionProtected)).ShouldNot(Equal("False NoWorkload"))
		Consistently(ctx, templateLabel(deployment)).Should(Equal("todo"))
		Expect(written.about("/namespaces/" + apps + "/deployments/")).To(BeEmpty())
	})

	It("keeps its label while it asks for a server that is gone, and loses it when it asks no more", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		Expect(k8s.Delete(ctx, server)).To(Succeed())
		Consistently(ctx, templateLabel(deployment)).Should(Equal("todo"))
		pod := &corev1.Pod{ObjectMeta: at(apps, "new"), Spec: podSpec()}
		pod.Labels = deployment.Spec.Template.Labels
		Eventually(ctx, func() error { return k8s.Create(ctx, pod.DeepCopy(), client.DryRunAll) }).
			Should(MatchError(apierrors.IsForbidden, "a pod that nobody can protect is refused"))

		change(ctx, deployment, func() { deployment.Annotations = nil })
		Eventually(ctx, templateLabel(deployment)).Should(BeEmpty())
	})

	It("is released when the server says that it validates tokens itself", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		change(ctx, server, func() { server.Spec.Workload = nil })
		Eventually(ctx, templateLabel(deployment)).Should(BeEmpty())
		Eventually(ctx, condition(server, v1alpha1.ConditionProtected)).Should(Equal("Unknown Unmanaged"))
	})

	It("follows its annotation from one server to another", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		create(ctx, anMCPServer(apps, "notes", home))
		change(ctx, deployment, func() { deployment.Annotations = asking("notes") })
		Eventually(ctx, templateLabel(deployment)).Should(Equal("notes"))
		Consistently(ctx, templateLabel(deployment)).Should(Equal("notes"))
	})

	It("is changed in nothing but its pods' label", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		before := deployment.DeepCopy()
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		want := before.Spec.DeepCopy()
		want.Template.Labels[v1alpha1.ServerLabel] = "todo"
		Expect(deployment.Spec).To(Equal(*want))
		Expect(deployment.Labels).To(Equal(before.Labels))
		Expect(deployment.Annotations).To(Equal(before.Annotations))
		Expect(deployment.OwnerReferences).To(BeEmpty())
	})
})
