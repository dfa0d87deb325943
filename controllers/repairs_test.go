package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

var _ = Describe("What the operator has written", func() {
	var home, apps string
	var server *v1alpha1.MCPServer
	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		server = create(ctx, anMCPServer(apps, "todo", home))
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
	})

	It("is put back where a policy is changed or deleted by hand", func(ctx SpecContext) {
		config := &corev1.ConfigMap{ObjectMeta: at(apps, "mcpauth-todo-policy")}
		var whole string
		change(ctx, config, func() {
			whole = config.Data[policy.FileName]
			config.Data[policy.FileName] = strings.ReplaceAll(whole, server.Spec.URL, "https://attacker.example.com")
		})
		content := func(ctx context.Context) (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(config), config)
			return config.Data[policy.FileName], client.IgnoreNotFound(err)
		}
		Eventually(ctx, content).Should(Equal(whole))
		Expect(k8s.Delete(ctx, config)).To(Succeed())
		Eventually(ctx, func(ctx context.Context) (string, error) {
			config = &corev1.ConfigMap{ObjectMeta: at(apps, "mcpauth-todo-policy")}
			return content(ctx)
		}).Should(Equal(whole))
	})

	It("follows the key ring", func(ctx SpecContext) {
		ring, err := keyring.New(keyring.RS256, time.Now())
		Expect(err).NotTo(HaveOccurred())
		encoded, err := ring.Encode()
		Expect(err).NotTo(HaveOccurred())
		keys := &corev1.Secret{ObjectMeta: at(home, "mcpauth-main-keys")}
		change(ctx, keys, func() { keys.Data[keyring.SecretKey] = encoded })
		published, err := json.Marshal(ring.JWKS())
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, func(ctx context.Context) (string, error) {
			p, err := writtenPolicy(ctx, server)
			if err != nil {
				return "", err
			}
			return string(p.JWKS), nil
		}).Should(MatchJSON(published))
		authz := &v1alpha1.AuthorizationServer{ObjectMeta: at(home, "main")}
		Eventually(ctx, func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(authz), authz)
			return authz.Status.Keys[0].ID, err
		}).Should(Equal(string(ring.Active().ID)))
	})

	It("is put back where the label is taken from pods that are to be protected", func(ctx SpecContext) {
		deployment := create(ctx, aDeployment(apps, "todo", asking("todo")))
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
		change(ctx, deployment, func() { delete(deployment.Spec.Template.Labels, v1alpha1.ServerLabel) })
		Eventually(ctx, templateLabel(deployment)).Should(Equal("todo"))
	})

	It("is put back where a client's Secret is no longer marked as ours, or its secret is too short to be one", func(ctx SpecContext) {
		agent := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(agent, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		delivered := &corev1.Secret{ObjectMeta: at(apps, "agent-oauth")}
		var before string
		change(ctx, delivered, func() {
			before = string(delivered.Data["client_secret"])
			delete(delivered.Labels, manifests.ManagedByLabel)
		})
		Eventually(ctx, func() (map[string]string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(delivered), delivered)
			return delivered.Labels, err
		}).Should(HaveKeyWithValue(manifests.ManagedByLabel, manifests.ManagedBy))
		Expect(string(delivered.Data["client_secret"])).To(Equal(before))

		change(ctx, delivered, func() { delivered.Data["client_secret"] = []byte("short") })
		var made string
		Eventually(ctx, func() (int, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(delivered), delivered)
			made = string(delivered.Data["client_secret"])
			return len(made), err
		}).Should(BeNumerically(">=", credential.MinSecretLength))
		mirror := &corev1.Secret{ObjectMeta: at(home, manifests.MirrorName(agent.UID))}
		Eventually(ctx, func() (string, error) {
			err := k8s.Get(ctx, client.ObjectKeyFromObject(mirror), mirror)
			return string(mirror.Data[manifests.MirrorHashes]), err
		}).Should(Equal(credential.HashOf(made).String()))
	})
})

var _ = Describe("A Secret that an OAuthClient refers to", func() {
	It("is noticed though nobody watches it", func(ctx SpecContext) {
		_, home := readyAuthorizationServer(ctx)
		apps := namespace(ctx, nil)
		create(ctx, anMCPServer(apps, "todo", home))
		agent := anOAuthClient(apps, "agent", "todo")
		agent.Spec.Secret.Mode = v1alpha1.SecretReference
		create(ctx, &corev1.Secret{ObjectMeta: at(apps, "agent-oauth"), Data: map[string][]byte{"password": []byte("theirs")}})
		create(ctx, agent)
		Eventually(ctx, condition(agent, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, agent, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring(`has no entry "client_secret"`))

		theirs := &corev1.Secret{ObjectMeta: at(apps, "agent-oauth")}
		change(ctx, theirs, func() { theirs.Data["client_secret"] = bytes.Repeat([]byte("r"), credential.MinSecretLength) })
		Eventually(ctx, condition(agent, v1alpha1.ConditionReady)).WithTimeout(missingSecretCheck + patience).
			Should(Equal("True Ready"))
	})
})

var _ = Describe("A policy that has lost its keys", func() {
	DescribeTable("gives none to an operator that remembers none either",
		func(ctx SpecContext, jwks json.RawMessage) {
			server := anMCPServer("apps", "todo", "home")
			p := &policy.Policy{
				Version: policy.Version, Resource: server.Spec.URL, Issuers: []string{"https://auth.example.com"},
				Audiences: []string{server.Spec.URL}, JWKSURL: "http://mcpauth-main.home.svc/keys", JWKS: jwks,
			}
			encoded, err := p.Encode()
			Expect(err).NotTo(HaveOccurred())
			empty := fake.NewClientBuilder().WithScheme(operator.manager.GetScheme()).WithObjects(&corev1.ConfigMap{
				ObjectMeta: at("apps", "mcpauth-todo-policy"), Data: map[string]string{policy.FileName: string(encoded)},
			}).Build()
			r := &MCPServerReconciler{Client: empty, keys: newPublicKeys(empty, empty)}
			keys, err := r.bootstrapKeys(ctx, &mcpServer{object: server, compiled: &compiler.Server{
				AuthorizationServer: types.NamespacedName{Namespace: "home", Name: "main"},
			}})
			Expect(err).NotTo(HaveOccurred())
			Expect(keys).To(BeNil())
		},
		Entry("because there is no such entry", nil),
		Entry("because the entry is null", json.RawMessage("null")),
	)
})

// transcript keeps what is written to it.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

var _ = Describe("A client secret", func() {
	It("is in the client's Secret, and nowhere else", func(ctx SpecContext) {
		logs := &transcript{}
		GinkgoWriter.TeeTo(logs)
		DeferCleanup(GinkgoWriter.ClearTeeWriters)
		_, home := readyAuthorizationServer(ctx)
		apps := namespace(ctx, nil)
		create(ctx, anMCPServer(apps, "todo", home))
		agent := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(agent, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Eventually(ctx, eventsAbout(apps, "agent")).Should(ContainElement("CredentialsDelivered"))
		delivered := &corev1.Secret{ObjectMeta: at(apps, "agent-oauth")}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(delivered), delivered)).To(Succeed())
		value := string(delivered.Data["client_secret"])
		Expect(value).NotTo(BeEmpty())

		var events eventsv1.EventList
		var clients v1alpha1.OAuthClientList
		var configs corev1.ConfigMapList
		var mirrors corev1.SecretList
		Expect(k8s.List(ctx, &events, client.InNamespace(apps))).To(Succeed())
		Expect(k8s.List(ctx, &clients, client.InNamespace(apps))).To(Succeed())
		Expect(k8s.List(ctx, &configs, client.InNamespace(apps))).To(Succeed())
		Expect(k8s.List(ctx, &mirrors, client.InNamespace(home))).To(Succeed())
		for i := range mirrors.Items { // as text, not in base64
			mirrors.Items[i].StringData = make(map[string]string)
			for key, entry := range mirrors.Items[i].Data {
				mirrors.Items[i].StringData[key] = string(entry)
			}
		}
		for _, list := range []client.ObjectList{&events, &clients, &configs, &mirrors} {
			text, err := json.Marshal(list)
			Expect(err).NotTo(HaveOccurred())
			Expect(strings.Contains(string(text), value)).To(BeFalse(), "%T holds the secret", list)
		}
		Expect(strings.Contains(logs.String(), value)).To(BeFalse(), "the log holds the secret")
	})
})
