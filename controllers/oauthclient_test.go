package controllers

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/oauth/credential"
)

var _ = Describe("An OAuthClient", func() {
	var home, apps string

	BeforeEach(func(ctx context.Context) {
		_, home = readyAuthorizationServer(ctx)
		apps = namespace(ctx, nil)
		create(ctx, anMCPServer(apps, "todo", home))
	})

	delivered := func(ctx context.Context) (*corev1.Secret, error) {
		var secret corev1.Secret
		return &secret, k8s.Get(ctx, client.ObjectKey{Namespace: apps, Name: "agent-oauth"}, &secret)
	}
	clientSecret := func(ctx context.Context) (string, error) {
		secret, err := delivered(ctx)
		return string(secret.Data[v1alpha1.SecretClientSecret]), err
	}
	// known are the hashes that the authorization server in a namespace knows of a
	// client.
	known := func(ctx context.Context, namespace string, object *v1alpha1.OAuthClient) ([]string, error) {
		var mirror corev1.Secret
		err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: manifests.MirrorName(object.UID)}, &mirror)
		return strings.Fields(string(mirror.Data[manifests.MirrorHashes])), client.IgnoreNotFound(err)
	}
	knownAt := func(namespace string, object *v1alpha1.OAuthClient) func(context.Context) ([]string, error) {
		return func(ctx context.Context) ([]string, error) { return known(ctx, namespace, object) }
	}
	hash := func(secret string) string { return credential.HashOf(secret).String() }

	mirrorPath := func(object *v1alpha1.OAuthClient) string {
		return "/api/v1/namespaces/" + home + "/secrets/" + manifests.MirrorName(object.UID)
	}
	// about are the operator's writes for a client, in order.
	about := func(object *v1alpha1.OAuthClient) []string {
		return slices.DeleteFunc(written.about("/namespaces/"), func(write string) bool {
			return !strings.HasSuffix(write, mirrorPath(object)) && !strings.Contains(write, "/namespaces/"+apps+"/secrets") &&
				!strings.Contains(write, "/namespaces/"+apps+"/oauthclients/")
		})
	}

	It("gets its credentials, and the authorization server their hash alone", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.ClientID = "agent-" + apps
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(object.Status.ClientID).To(Equal("agent-" + apps))
		secret, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(metav1.IsControlledBy(secret, object)).To(BeTrue())
		issuer := "https://auth." + home + ".example.com/resources/" + apps + "-todo"
		Expect(secret.Data).To(And(
			HaveKeyWithValue("client_id", []byte("agent-"+apps)),
			HaveKeyWithValue("issuer", []byte(issuer)),
			HaveKeyWithValue("token_endpoint", []byte(issuer+"/oauth/token")),
		))
		value := string(secret.Data["client_secret"])
		Expect(len(value)).To(BeNumerically(">=", credential.MinSecretLength))

		var mirror corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: home, Name: "mcpauth-client-" + string(object.UID)}, &mirror)).To(Succeed())
		Expect(mirror.Labels).To(HaveKeyWithValue(v1alpha1.AuthorizationServerLabel, "main"))
		Expect(mirror.Annotations).To(HaveKeyWithValue(v1alpha1.ClientIDAnnotation, "agent-"+apps))
		Expect(mirror.Data).To(Equal(map[string][]byte{"hashes": []byte(hash(value))}))
		Expect(eventsAbout(apps, "agent")(ctx)).To(ConsistOf("CredentialsDelivered"))
	})

	It("has its secret delivered before it becomes active", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(about(object)).To(Equal([]string{
			"PATCH /apis/mcpauth.dev/v1alpha1/namespaces/" + apps + "/oauthclients/agent", // the finalizer
			"POST /api/v1/namespaces/" + apps + "/secrets",
			"PATCH " + mirrorPath(object),
			"PATCH /apis/mcpauth.dev/v1alpha1/namespaces/" + apps + "/oauthclients/agent/status",
		}))
	})

	It("has a client id that derives from its UID where it names none", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(object.Status.ClientID).To(ContainSubstring(string(object.UID)))
	})

	It("keeps its secret, and has the rest of the entries repaired", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		secret, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		before := secret.DeepCopy()
		change(ctx, secret, func() {
			delete(secret.Data, "issuer")
			secret.Data["client_id"] = []byte("other")
			secret.Data["mine"] = []byte("kept")
		})
		Eventually(ctx, func() (map[string][]byte, error) {
			now, err := delivered(ctx)
			return now.Data, err
		}).Should(And(
			HaveKeyWithValue("client_id", before.Data["client_id"]),
			HaveKeyWithValue("issuer", before.Data["issuer"]),
			HaveKeyWithValue("client_secret", before.Data["client_secret"]),
			HaveKeyWithValue("mine", []byte("kept")),
		))
	})

	It("gets a new secret when its Secret is deleted, and the old one is dead", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		secret, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(ctx, clientSecret).ShouldNot(Or(BeEmpty(), Equal(string(secret.Data["client_secret"]))))
		value, err := clientSecret(ctx)
		Expect(err).NotTo(HaveOccurred())
		Eventually(ctx, knownAt(home, object)).Should(ConsistOf(hash(value)))
	})

	It("follows a secret that its owner writes into its Secret", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		secret, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		chosen := strings.Repeat("c", credential.MinSecretLength)
		change(ctx, secret, func() { secret.Data["client_secret"] = []byte(chosen) })
		Eventually(ctx, knownAt(home, object)).Should(ConsistOf(hash(chosen)))
	})

	It("never overwrites a Secret of somebody else", func(ctx SpecContext) {
		foreign := create(ctx, &corev1.Secret{ObjectMeta: at(apps, "agent-oauth"), Data: map[string][]byte{"password": []byte("theirs")}})
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionProgrammed)).Should(Equal("False Conflict"))
		Expect(message(ctx, object, v1alpha1.ConditionProgrammed)).To(ContainSubstring(apps + "/agent-oauth"))
		Expect(condition(object, v1alpha1.ConditionReady)(ctx)).To(Equal("False Conflict"))
		now, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(now.ResourceVersion).To(Equal(foreign.ResourceVersion))
		Expect(known(ctx, home, object)).To(BeEmpty())

		Expect(k8s.Delete(ctx, foreign)).To(Succeed())
		touch(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("does not take over the Secret of another OAuthClient", func(ctx SpecContext) {
		first := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(first, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		value, err := clientSecret(ctx)
		Expect(err).NotTo(HaveOccurred())
		second := anOAuthClient(apps, "thief", "todo")
		second.Spec.Secret.Name = "agent-oauth"
		create(ctx, second)
		Eventually(ctx, condition(second, v1alpha1.ConditionProgrammed)).Should(Equal("False Conflict"))
		Expect(clientSecret(ctx)).To(Equal(value))
	})

	It("uses a secret that exists, when it is there and long enough", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.Secret.Mode = v1alpha1.SecretReference
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, object, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring(apps + "/agent-oauth"))

		secret := create(ctx, &corev1.Secret{ObjectMeta: at(apps, "agent-oauth"), Data: map[string][]byte{"client_secret": []byte("short")}})
		touch(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False Invalid"))
		Expect(message(ctx, object, v1alpha1.ConditionResolvedRefs)).To(And(ContainSubstring("32"), Not(ContainSubstring("short"))))
		Expect(known(ctx, home, object)).To(BeEmpty())

		chosen := strings.Repeat("r", credential.MinSecretLength)
		change(ctx, secret, func() { secret.Data["client_secret"] = []byte(chosen) })
		touch(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(known(ctx, home, object)).To(ConsistOf(hash(chosen)))
		now, err := delivered(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(now.Data).To(HaveLen(1), "the Secret is somebody else's, and stays as it is")
	})

	It("loses its client id to an older one", func(ctx SpecContext) {
		older := anOAuthClient(apps, "one", "todo")
		older.Spec.ClientID = "shared"
		create(ctx, older)
		Eventually(ctx, condition(older, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		younger := anOAuthClient(apps, "two", "todo")
		younger.Spec.ClientID = "shared"
		create(ctx, younger)
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Expect(message(ctx, younger, v1alpha1.ConditionAccepted)).To(ContainSubstring(apps + "/one"))
		Expect(condition(younger, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		Expect(known(ctx, home, younger)).To(BeEmpty())
	})

	It("waits for a server that does not exist", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "absent"))
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(condition(object, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		create(ctx, anMCPServer(apps, "absent", home))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("is served without a scope that does not exist, which it says", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.Scopes = []string{"todo:read"}
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Eventually(ctx, condition(object, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		create(ctx, aScope(apps, "read", "todo:read", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("needs no Secret when it is public", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.Secret, object.Spec.TokenEndpointAuthMethod = nil, "none"
		object.Spec.GrantTypes, object.Spec.RedirectURIs = []v1alpha1.GrantType{"authorization_code"}, []string{"http://127.0.0.1/cb"}
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(known(ctx, home, object)).To(BeEmpty())
		Expect(object.Finalizers).To(BeEmpty())
	})

	It("needs no Secret when it signs", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.Secret, object.Spec.TokenEndpointAuthMethod, object.Spec.JWKS = nil, "private_key_jwt", publicKeySet
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(known(ctx, home, object)).To(BeEmpty())
		Expect(object.Finalizers).To(BeEmpty())
	})

	It("loses the hash of its secret when it begins to sign", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, knownAt(home, object)).Should(HaveLen(1))
		change(ctx, object, func() {
			object.Spec.Secret, object.Spec.TokenEndpointAuthMethod, object.Spec.JWKS = nil, "private_key_jwt", publicKeySet
		})
		Eventually(ctx, knownAt(home, object)).Should(BeEmpty())
	})

	It("is a ServiceAccount where its authorization server trusts the cluster", func(ctx SpecContext) {
		object := anOAuthClient(apps, "agent", "todo")
		object.Spec.Secret, object.Spec.TokenEndpointAuthMethod = nil, "none"
		object.Spec.GrantTypes = []v1alpha1.GrantType{"urn:ietf:params:oauth:grant-type:jwt-bearer"}
		object.Spec.ServiceAccounts = []v1alpha1.ServiceAccountReference{{Name: "agent"}}
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, object, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring("cluster: true"))

		server := &v1alpha1.AuthorizationServer{ObjectMeta: at(home, "main")}
		change(ctx, server, func() {
			server.Spec.TrustedIssuers = []v1alpha1.TrustedIssuer{{Name: "cluster", Type: v1alpha1.TrustedWorkload, Cluster: true}}
		})
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(known(ctx, home, object)).To(BeEmpty())
		Expect(object.Finalizers).To(BeEmpty())
	})

	It("is forgotten by its authorization server before it is gone", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, knownAt(home, object)).Should(HaveLen(1))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(object.Finalizers).To(ConsistOf("mcpauth.dev/credential-mirror"))
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy()))
		}).Should(BeTrue())
		writes := about(object)
		Expect(writes[len(writes)-2:]).To(Equal([]string{
			"DELETE " + mirrorPath(object),
			"PATCH /apis/mcpauth.dev/v1alpha1/namespaces/" + apps + "/oauthclients/agent", // the finalizer
		}))
	})

	It("goes although its server and its AuthorizationServer are gone", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(k8s.Delete(ctx, anAuthorizationServer(home))).To(Succeed())
		Expect(k8s.Delete(ctx, anMCPServer(apps, "todo", home))).To(Succeed())
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy()))
		}).Should(BeTrue())
		Eventually(ctx, knownAt(home, object)).Should(BeEmpty())
	})

	It("moves with its servers to another AuthorizationServer, and is forgotten by the first", func(ctx SpecContext) {
		_, elsewhere := readyAuthorizationServer(ctx)
		create(ctx, anMCPServer(apps, "notes", elsewhere))
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, knownAt(home, object)).Should(HaveLen(1))
		change(ctx, object, func() { object.Spec.ServerRefs = refs("notes") })
		Eventually(ctx, knownAt(elsewhere, object)).Should(HaveLen(1))
		Eventually(ctx, knownAt(home, object)).Should(BeEmpty())
	})

	It("has a mirror that somebody deleted or changed put back", func(ctx SpecContext) {
		object := create(ctx, anOAuthClient(apps, "agent", "todo"))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		value, err := clientSecret(ctx)
		Expect(err).NotTo(HaveOccurred())
		mirror := &corev1.Secret{ObjectMeta: at(home, manifests.MirrorName(object.UID))}
		change(ctx, mirror, func() { mirror.Data[manifests.MirrorHashes] = []byte(hash("attacker's")) })
		Eventually(ctx, knownAt(home, object)).Should(ConsistOf(hash(value)))
		Expect(k8s.Delete(ctx, mirror)).To(Succeed())
		Eventually(ctx, knownAt(home, object)).Should(ConsistOf(hash(value)))
	})
})
