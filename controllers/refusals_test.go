package controllers

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// malformed is a selector that the schema lets pass.
func malformed() *v1alpha1.AllowedNamespaces {
	return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSelector, Selector: &metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Resembles", Values: []string{"a"}}},
	}}
}

// anAge waits until what is made now is younger than the object: Kubernetes tells
// ages in whole seconds, and names decide between objects of the same one.
func anAge(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(ctx, time.Now).Should(BeTemporally(">=", object.GetCreationTimestamp().Add(time.Second)), "the next second must begin")
}

var _ = Describe("Of two objects that claim the same", func() {
	var home, apps string
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
	})

	// The younger one comes first by name, so that age alone can decide.
	DescribeTable("the older one keeps it and is not even written to",
		func(ctx SpecContext, make func(name string) client.Object, also ...func() client.Object) {
			for _, object := range also {
				create(ctx, object())
			}
			older := create(ctx, make("z-older"))
			Eventually(ctx, condition(older, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
			anAge(ctx, older)
			younger := create(ctx, make("a-younger"))
			Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
			Expect(message(ctx, younger, v1alpha1.ConditionAccepted)).To(And(ContainSubstring("/z-older"), ContainSubstring("which is older")))
			Expect(condition(younger, v1alpha1.ConditionReady)(ctx)).To(Equal("False Conflict"))

			Expect(condition(older, v1alpha1.ConditionAccepted)(ctx)).To(Equal("True Accepted"))
			generation := older.GetGeneration()
			Consistently(ctx, condition(older, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
			Expect(older.GetGeneration()).To(Equal(generation))
		},
		Entry("an issuer", func(name string) client.Object {
			object := anAuthorizationServer(home)
			object.Name, object.Spec.Issuer = name, "https://shared."+home+".example.com"
			return object
		}),
		Entry("a URL", func(name string) client.Object {
			object := anMCPServer(apps, name, home)
			object.Spec.URL = "https://shared.example.com/mcp"
			return object
		}),
		Entry("a URL, with or without the slash of an empty path", func(name string) client.Object {
			object := anMCPServer(apps, name, home)
			object.Spec.URL = "https://shared.example.com"
			if name == "a-younger" {
				object.Spec.URL = "https://shared.example.com/"
			}
			return object
		}),
		Entry("a resource id", func(name string) client.Object {
			object := anMCPServer(apps, name, home)
			object.Spec.ResourceID = "shared"
			return object
		}),
		Entry("a client id", func(name string) client.Object {
			object := anOAuthClient(apps, name, "todo")
			object.Spec.ClientID = "shared"
			return object
		}, func() client.Object { return anMCPServer(apps, "todo", home) }),
		Entry("a scope of one server", func(name string) client.Object { return aScope(apps, name, "todo:read", "todo") },
			func() client.Object { return anMCPServer(apps, "todo", home) }),
	)

	It("lets the older client keep its credentials and the older server its policy", func(ctx SpecContext) {
		server := create(ctx, anMCPServer(apps, "z-older", home))
		agent := anOAuthClient(apps, "z-agent", "z-older")
		agent.Spec.ClientID = "shared"
		create(ctx, agent)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		Eventually(ctx, condition(agent, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		written := versions(ctx, apps, home)

		anAge(ctx, agent)
		rival := anMCPServer(apps, "a-rival", home)
		rival.Spec.URL = server.Spec.URL
		create(ctx, rival)
		thief := anOAuthClient(apps, "a-thief", "z-older")
		thief.Spec.ClientID = "shared"
		create(ctx, thief)
		Eventually(ctx, condition(rival, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Eventually(ctx, condition(thief, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Expect(versions(ctx, apps, home)).To(Equal(written), "Secrets and ConfigMaps by resourceVersion")
	})
})

// versions are the resourceVersions of the Secrets and ConfigMaps of namespaces.
func versions(ctx context.Context, namespaces ...string) map[string]string {
	GinkgoHelper()
	found := make(map[string]string)
	for _, namespace := range namespaces {
		var secrets corev1.SecretList
		var configs corev1.ConfigMapList
		Expect(k8s.List(ctx, &secrets, client.InNamespace(namespace))).To(Succeed())
		Expect(k8s.List(ctx, &configs, client.InNamespace(namespace))).To(Succeed())
		for _, s := range secrets.Items {
			found["Secret "+s.Namespace+"/"+s.Name] = s.ResourceVersion
		}
		for _, c := range configs.Items {
			found["ConfigMap "+c.Namespace+"/"+c.Name] = c.ResourceVersion
		}
	}
	return found
}

var _ = Describe("What the schema lets pass and makes no sense", func() {
	var home, apps string
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		create(ctx, anMCPServer(apps, "todo", home))
	})

	DescribeTable("is refused with words",
		func(ctx SpecContext, make func() client.Object, words string) {
			object := create(ctx, make())
			Eventually(ctx, condition(object, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
			Expect(message(ctx, object, v1alpha1.ConditionAccepted)).To(ContainSubstring(words))
			Expect(condition(object, v1alpha1.ConditionReady)(ctx)).To(Equal("False Invalid"))
		},
		Entry("an issuer with capitals in its host", func() client.Object {
			object := anAuthorizationServer(apps)
			object.Spec.Issuer = "https://" + apps + ".Example.com"
			return object
		}, "must have its host in lower case"),
		Entry("an issuer with dot segments", func() client.Object {
			object := anAuthorizationServer(apps)
			object.Spec.Issuer += "/a/../b"
			return object
		}, "must not have dot segments"),
		Entry("a selector of namespaces that selects by no known operator", func() client.Object {
			object := anAuthorizationServer(apps)
			object.Spec.AllowedNamespaces = malformed()
			return object
		}, "the namespace selector is malformed"),
		Entry("a redirect to a script", func() client.Object {
			object := anOAuthClient(apps, "agent", "todo")
			object.Spec.RedirectURIs = []string{"javascript:alert(1)"}
			return object
		}, `"javascript" is never a redirect target`),
		Entry("a redirect without https", func() client.Object {
			object := anOAuthClient(apps, "agent", "todo")
			object.Spec.RedirectURIs = []string{"http://app.example.com/callback"}
			return object
		}, "http is for loopback hosts only"),
		Entry("a client id like those that are derived", func() client.Object {
			object := anOAuthClient(apps, "agent", "todo")
			object.Spec.ClientID = "mcpc-0123"
			return object
		}, "which is kept for derived ids"),
		Entry("an e-mail address that is none", func() client.Object {
			object := validStaticProvider(home)
			object.Spec.Static.Users[0].Email = "alice"
			return object
		}, `email "alice" of user "alice" is not an address`),
	)

	It("is a client of two servers that no one AuthorizationServer knows", func(ctx SpecContext) {
		_, elsewhere := readyAuthorizationServer(ctx)
		create(ctx, anMCPServer(apps, "notes", elsewhere))
		object := create(ctx, anOAuthClient(apps, "agent", "todo", "notes"))
		Eventually(ctx, condition(object, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		Expect(message(ctx, object, v1alpha1.ConditionAccepted)).To(ContainSubstring("make one OAuthClient for each"))
	})

	It("leaves an AuthorizationServer that runs as it is", func(ctx SpecContext) {
		object, itself := readyAuthorizationServer(ctx)
		before := written.about("/namespaces/" + itself + "/deployments")
		change(ctx, object, func() { object.Spec.AllowedNamespaces = malformed() })
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("False Invalid"))
		Expect(condition(object, v1alpha1.ConditionAvailable)(ctx)).To(Equal("True Available"))
		Expect(condition(object, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		Expect(message(ctx, object, v1alpha1.ConditionProgrammed)).To(ContainSubstring("is left as it is"))
		Expect(written.about("/namespaces/" + itself + "/deployments")).To(Equal(before))
	})
})

var _ = Describe("A reference to what is not accepted itself", func() {
	It("is not resolved, and says where to look", func(ctx SpecContext) {
		home := namespace(ctx, nil)
		broken := anAuthorizationServer(home)
		broken.Spec.AllowedNamespaces = malformed()
		create(ctx, broken)
		server := create(ctx, anMCPServer(home, "todo", home))
		provider := create(ctx, validStaticProvider(home))
		agent := create(ctx, anOAuthClient(home, "agent", "todo"))
		for _, object := range []client.Object{server, provider, agent} {
			Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False Invalid"), "%T", object)
			Expect(message(ctx, object, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring("is not accepted; its own status says why"))
		}

		change(ctx, broken, func() { broken.Spec.AllowedNamespaces = nil })
		Eventually(ctx, condition(provider, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Eventually(ctx, condition(agent, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})
})

var _ = Describe("A change of allowedNamespaces", func() {
	It("admits a server from elsewhere and turns it away again, while its pods keep their policy", func(ctx SpecContext) {
		home, apps := namespace(ctx, nil), namespace(ctx, nil)
		authz := anAuthorizationServer(home)
		authz.Spec.AllowedNamespaces = &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesSame}
		create(ctx, authz)
		server := create(ctx, anMCPServer(apps, "todo", home))
		neighbour := create(ctx, anMCPServer(home, "notes", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotPermitted"))
		Expect(message(ctx, server, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring("its owner can add the namespace to spec.allowedNamespaces"))
		Eventually(ctx, condition(neighbour, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))

		change(ctx, authz, func() { authz.Spec.AllowedNamespaces.From = v1alpha1.NamespacesAll })
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		before := versions(ctx, apps)
		Expect(before).To(HaveKey("ConfigMap " + apps + "/mcpauth-todo-policy"))

		change(ctx, authz, func() { authz.Spec.AllowedNamespaces.From = v1alpha1.NamespacesSame })
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotPermitted"))
		Expect(condition(server, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		Expect(versions(ctx, apps)).To(Equal(before))
		Expect(condition(neighbour, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("True Programmed"))
	})
})
