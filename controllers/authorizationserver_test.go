package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

var _ = Describe("An AuthorizationServer", func() {
	var home string
	var server *v1alpha1.AuthorizationServer

	BeforeEach(func(ctx context.Context) {
		home = namespace(ctx, nil)
		server = anAuthorizationServer(home)
	})

	keySecret := func() *corev1.Secret { return &corev1.Secret{ObjectMeta: at(home, "mcpauth-main-keys")} }
	read := func(ctx context.Context, object client.Object) error {
		return k8s.Get(ctx, client.ObjectKeyFromObject(object), object)
	}

	It("gets everything that it needs to run", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		for _, child := range []client.Object{
			keySecret(),
			&corev1.ServiceAccount{ObjectMeta: at(home, "mcpauth-main")},
			&rbacv1.Role{ObjectMeta: at(home, "mcpauth-main")},
			&rbacv1.RoleBinding{ObjectMeta: at(home, "mcpauth-main")},
			&corev1.PersistentVolumeClaim{ObjectMeta: at(home, "mcpauth-main-data")},
			&appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")},
			&corev1.Service{ObjectMeta: at(home, "mcpauth-main")},
		} {
			Expect(read(ctx, child)).To(Succeed(), "%T", child)
			Expect(metav1.IsControlledBy(child, server)).To(BeTrue(), "%T must go when its server goes", child)
		}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: at("", "mcpauth-authserver:"+home+":main")}
		Expect(read(ctx, binding)).To(Succeed())
		Expect(binding.Subjects).To(ConsistOf(rbacv1.Subject{Kind: "ServiceAccount", Namespace: home, Name: "mcpauth-main"}))
	})

	It("is ready when its Deployment is available, and tells its endpoints and keys", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("False NotReady"))
		Expect(message(ctx, server, v1alpha1.ConditionAvailable)).To(ContainSubstring(home + "/mcpauth-main"))
		makeAvailable(ctx, home, true)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(server.Status.Endpoints).To(HaveValue(Equal(v1alpha1.AuthorizationServerEndpoints{
			Metadata: server.Spec.Issuer + "/.well-known/oauth-authorization-server",
			JWKS:     server.Spec.Issuer + "/keys",
			Service:  "http://mcpauth-main." + home + ".svc",
		})))
		Expect(server.Status.Keys).To(HaveLen(1))
		Expect(server.Status.Keys[0].Phase).To(Equal("Active"))
		makeAvailable(ctx, home, false)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("False NotReady"))
	})

	It("makes one key ring and says so once", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, eventsAbout(home, "main")).Should(ConsistOf("KeysCreated"))
		secret := keySecret()
		Expect(read(ctx, secret)).To(Succeed())
		touch(ctx, server)
		Consistently(ctx, func() (string, error) {
			again := keySecret()
			err := read(ctx, again)
			return again.ResourceVersion, err
		}).Should(Equal(secret.ResourceVersion))
		Expect(eventsAbout(home, "main")(ctx)).To(ConsistOf("KeysCreated"))
	})

	It("uses a key ring that is there already, as after a restore", func(ctx SpecContext) {
		ring, err := keyring.New(keyring.RS256, metav1.Now().Time)
		Expect(err).NotTo(HaveOccurred())
		encoded, err := ring.Encode()
		Expect(err).NotTo(HaveOccurred())
		restored := keySecret()
		restored.Data = map[string][]byte{keyring.SecretKey: encoded}
		create(ctx, restored)
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		Expect(server.Status.Keys).To(HaveLen(1))
		Expect(server.Status.Keys[0].ID).To(Equal(string(ring.Active().ID)))
	})

	It("never replaces a key ring that is damaged, and goes on", func(ctx SpecContext) {
		create(ctx, server)
		makeAvailable(ctx, home, true)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		secret := keySecret()
		var good []byte
		change(ctx, secret, func() {
			good = secret.Data[keyring.SecretKey]
			secret.Data[keyring.SecretKey] = []byte("{")
		})
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("False Invalid"))
		Expect(message(ctx, server, v1alpha1.ConditionProgrammed)).To(And(
			ContainSubstring(home+"/mcpauth-main-keys"), ContainSubstring("restore the Secret from a backup")))
		Expect(condition(server, v1alpha1.ConditionAvailable)(ctx)).To(Equal("True Available"))
		Expect(server.Status.Keys).To(HaveLen(1), "the last good keys are still the ones in use")
		Expect(read(ctx, secret)).To(Succeed())
		Expect(secret.Data).To(HaveKeyWithValue(keyring.SecretKey, []byte("{")))

		change(ctx, secret, func() { secret.Data[keyring.SecretKey] = good })
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("is put back as it was when somebody changes or deletes what belongs to it", func(ctx SpecContext) {
		create(ctx, server)
		deployment := &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")}
		change(ctx, deployment, func() { deployment.Spec.Template.Spec.Containers[0].Image = "registry.example.com/other" })
		Eventually(ctx, func() (string, error) {
			err := read(ctx, deployment)
			return deployment.Spec.Template.Spec.Containers[0].Image, err
		}).Should(Equal(authServerImage))

		service := &corev1.Service{ObjectMeta: at(home, "mcpauth-main")}
		Eventually(ctx, func() error { return read(ctx, service) }).Should(Succeed())
		Expect(k8s.Delete(ctx, service)).To(Succeed())
		Eventually(ctx, func() error { return read(ctx, service) }).Should(Succeed())
	})

	It("leaves what others add to its Deployment", func(ctx SpecContext) {
		create(ctx, server)
		deployment := &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")}
		change(ctx, deployment, func() {
			deployment.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "fast"}
			deployment.Spec.Template.Spec.Containers[0].Image = "registry.example.com/other"
		})
		Eventually(ctx, func() (string, error) {
			err := read(ctx, deployment)
			return deployment.Spec.Template.Spec.Containers[0].Image, err
		}).Should(Equal(authServerImage))
		Expect(deployment.Spec.Template.Spec.NodeSelector).To(HaveKeyWithValue("disk", "fast"))
	})

	It("keeps its volume claim when the wish for its size changes", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		size := resource.MustParse("7Gi")
		change(ctx, server, func() { server.Spec.Storage.SQLite = &v1alpha1.SQLiteStorage{Size: &size} })
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: at(home, "mcpauth-main-data")}
		Expect(read(ctx, claim)).To(Succeed())
		Expect(claim.Spec.Resources.Requests.Storage().String()).To(Equal("1Gi"))
	})

	onPostgreSQL := func() {
		replicas := int32(3)
		server.Spec.Replicas = &replicas
		server.Spec.Storage = v1alpha1.Storage{
			Type:       v1alpha1.StoragePostgreSQL,
			PostgreSQL: &v1alpha1.PostgreSQLStorage{URLSecretRef: v1alpha1.SecretKeyReference{Name: "database", Key: "url"}},
		}
	}

	It("runs any number of replicas on PostgreSQL, without a volume and without an interruption", func(ctx SpecContext) {
		onPostgreSQL()
		create(ctx, &corev1.Secret{ObjectMeta: at(home, "database"), Data: map[string][]byte{"url": []byte("postgresql://me:pw@db/mcpauth")}})
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		Expect(condition(server, v1alpha1.ConditionResolvedRefs)(ctx)).To(Equal("True ResolvedRefs"))
		deployment := &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")}
		Expect(read(ctx, deployment)).To(Succeed())
		Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(3)))
		Expect(deployment.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue()).To(BeZero())
		Expect(deployment.Spec.Strategy.RollingUpdate.MaxSurge.IntValue()).To(Equal(1))
		container := deployment.Spec.Template.Spec.Containers[0]
		Expect(container.Args).To(ContainElements("--postgresql-url-file", "/etc/mcpauth/database/url"))
		Expect(container.Args).NotTo(ContainElement("--data"))
		Expect(deployment.Spec.Template.Spec.Volumes).To(ContainElement(HaveField("Secret", HaveValue(HaveField("SecretName", "database")))))
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: at(home, "mcpauth-main-data")}
		Expect(read(ctx, claim)).To(Satisfy(apierrors.IsNotFound))
		generation := deployment.Generation
		touch(ctx, server)
		Consistently(ctx, func() (int64, error) {
			err := read(ctx, deployment)
			return deployment.Generation, err
		}).Should(Equal(generation), "nothing is written twice")
	})

	It("says what is missing of its database, and gets everything else meanwhile", func(ctx SpecContext) {
		onPostgreSQL()
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, server, v1alpha1.ConditionResolvedRefs)).To(And(
			ContainSubstring("Secret "+home+"/database does not exist"), ContainSubstring(`in its entry "url"`)))
		Expect(condition(server, v1alpha1.ConditionReady)(ctx)).To(Equal("False NotFound"))
		Expect(read(ctx, &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")})).To(Succeed())

		secret := create(ctx, &corev1.Secret{ObjectMeta: at(home, "database"), Data: map[string][]byte{"other": []byte("x")}})
		touch(ctx, server)
		Eventually(ctx, func() string { return message(ctx, server, v1alpha1.ConditionResolvedRefs) }).
			Should(ContainSubstring(`no entry "url"`))

		change(ctx, secret, func() { secret.Data["url"] = []byte("host=db password=hunter2") })
		touch(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionResolvedRefs)).Should(Equal("False Invalid"))
		Expect(message(ctx, server, v1alpha1.ConditionResolvedRefs)).To(And(
			ContainSubstring("is not a connection URL"), Not(ContainSubstring("hunter2"))))

		change(ctx, secret, func() { secret.Data["url"] = []byte("postgres://me:pw@db/mcpauth\n") })
		touch(ctx, server)
		makeAvailable(ctx, home, true)
		Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("moves between storages and keeps the volume", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: at(home, "mcpauth-main-data")}
		Expect(read(ctx, claim)).To(Succeed())
		strategy := func() (string, error) {
			deployment := &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")}
			err := read(ctx, deployment)
			return string(deployment.Spec.Strategy.Type), err
		}
		change(ctx, server, onPostgreSQL)
		Eventually(ctx, strategy).Should(Equal("RollingUpdate"))
		Expect(read(ctx, claim)).To(Succeed())
		Expect(claim.DeletionTimestamp).To(BeNil())

		change(ctx, server, func() {
			server.Spec.Replicas, server.Spec.Storage = nil, v1alpha1.Storage{Type: v1alpha1.StorageSQLite}
		})
		Eventually(ctx, strategy).Should(Equal("Recreate"))
		deployment := &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-main")}
		Expect(read(ctx, deployment)).To(Succeed())
		Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(1)))
		Expect(deployment.Spec.Template.Spec.Volumes).NotTo(ContainElement(HaveField("Name", "database")))
		Expect(condition(server, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("True Programmed"))
	})

	DescribeTable("signs with the algorithm that is wished",
		func(ctx SpecContext, algorithm v1alpha1.SigningAlgorithm, want string) {
			server.Spec.SigningAlgorithm = algorithm
			create(ctx, server)
			Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
			Expect(server.Status.Keys).To(HaveLen(1))
			Expect(server.Status.Keys[0].Algorithm).To(Equal(want))
		},
		Entry("where none is named", v1alpha1.SigningAlgorithm(""), "RS256"),
		Entry("ECDSA", v1alpha1.SigningES256, "ES256"),
		Entry("EdDSA", v1alpha1.SigningEdDSA, "EdDSA"),
	)

	It("is kept in step without a trusted issuer that is wrong, and says so", func(ctx SpecContext) {
		server.Spec.TrustedIssuers = []v1alpha1.TrustedIssuer{
			{Name: "ci", Type: v1alpha1.TrustedWorkload, Issuer: "https://ci.example.com", Condition: "claims.sub =="},
		}
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		Expect(message(ctx, server, v1alpha1.ConditionAccepted)).To(And(
			ContainSubstring(`trusted issuer "ci"`), ContainSubstring("does not compile")))
		Expect(condition(server, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("True Programmed"))
		tenant := create(ctx, anMCPServer(home, "todo", home))
		Eventually(ctx, condition(tenant, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
	})

	It("loses to an older one with the same issuer, which goes on", func(ctx SpecContext) {
		create(ctx, server)
		Eventually(ctx, condition(server, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
		younger := anAuthorizationServer(home)
		younger.Name = "younger"
		create(ctx, younger)
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("False Conflict"))
		Expect(message(ctx, younger, v1alpha1.ConditionAccepted)).To(ContainSubstring(home + "/main"))
		Expect(condition(younger, v1alpha1.ConditionProgrammed)(ctx)).To(Equal("False Pending"))
		Expect(condition(younger, v1alpha1.ConditionAvailable)(ctx)).To(Equal("False Pending"))
		Expect(condition(younger, v1alpha1.ConditionReady)(ctx)).To(Equal("False Conflict"))
		Expect(apierrors.IsNotFound(read(ctx, &appsv1.Deployment{ObjectMeta: at(home, "mcpauth-younger")}))).To(BeTrue())
		Expect(condition(server, v1alpha1.ConditionAccepted)(ctx)).To(Equal("True Accepted"))

		Expect(k8s.Delete(ctx, server)).To(Succeed())
		Eventually(ctx, condition(younger, v1alpha1.ConditionAccepted)).Should(Equal("True Accepted"))
	})

	It("takes its right to read the cluster's resources with it", func(ctx SpecContext) {
		create(ctx, server)
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: at("", manifests.ClusterRoleBindingName(client.ObjectKeyFromObject(server)))}
		Eventually(ctx, func() error { return read(ctx, binding) }).Should(Succeed())
		Expect(k8s.Delete(ctx, server)).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(read(ctx, binding)) }).Should(BeTrue())
	})
})
