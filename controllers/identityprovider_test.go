package controllers

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func anOIDCProvider(namespace string) *v1alpha1.IdentityProvider {
	return &v1alpha1.IdentityProvider{
		ObjectMeta: at(namespace, "corp"),
		Spec: v1alpha1.IdentityProviderSpec{
			AuthorizationServerRef: v1alpha1.LocalAuthorizationServerReference{Name: "main"},
			Type:                   v1alpha1.ProviderOIDC,
			OIDC: &v1alpha1.OIDCProvider{
				Issuer: "https://login.example.com", ClientID: "mcpauth",
				ClientSecretRef: &v1alpha1.SecretKeyReference{Name: "corp-oidc", Key: "secret"},
			},
		},
	}
}

var _ = Describe("An IdentityProvider", func() {
	var home string
	BeforeEach(func(ctx context.Context) { home = namespace(ctx, nil) })

	It("needs its AuthorizationServer", func(ctx SpecContext) {
		object := anOIDCProvider(home)
		object.Spec.OIDC.ClientSecretRef = nil
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(object.Status.CallbackURL).To(BeEmpty())
		server := create(ctx, anAuthorizationServer(home))
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(object.Status.CallbackURL).To(Equal(server.Spec.Issuer + "/oauth/callback/corp"))
	})

	It("needs the Secret and the entry that it names", func(ctx SpecContext) {
		create(ctx, anAuthorizationServer(home))
		object := create(ctx, anOIDCProvider(home))
		Eventually(ctx, condition(object, v1alpha1.ConditionResolvedRefs)).Should(Equal("False NotFound"))
		Expect(message(ctx, object, v1alpha1.ConditionResolvedRefs)).To(ContainSubstring("Secret " + home + "/corp-oidc does not exist"))

		secret := create(ctx, &corev1.Secret{ObjectMeta: at(home, "corp-oidc"), Data: map[string][]byte{"other": []byte("x")}})
		touch(ctx, object)
		Eventually(ctx, func() string { return message(ctx, object, v1alpha1.ConditionResolvedRefs) }).
			Should(ContainSubstring(`no entry "secret"`))

		change(ctx, secret, func() { secret.Data["secret"] = []byte("s3cr3t") })
		touch(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	})

	It("has no callback URL where users sign in on our own page", func(ctx SpecContext) {
		create(ctx, anAuthorizationServer(home))
		object := anOIDCProvider(home)
		object.Spec.Type, object.Spec.OIDC = v1alpha1.ProviderStatic, nil
		object.Spec.Static = &v1alpha1.StaticProvider{Users: []v1alpha1.StaticUser{{
			Username: "alice", PasswordHash: "$2a$10$IlTccj68Enc2eFkkCMdY/eLvSq/28UCD/TSyvN7AvoBQgx2yH8ilO",
		}}}
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
		Expect(object.Status.CallbackURL).To(BeEmpty())
	})

	It("is refused with what is no password hash", func(ctx SpecContext) {
		create(ctx, anAuthorizationServer(home))
		object := anOIDCProvider(home)
		object.Spec.Type, object.Spec.OIDC = v1alpha1.ProviderStatic, nil
		object.Spec.Static = &v1alpha1.StaticProvider{Users: []v1alpha1.StaticUser{{
			Username: "alice", PasswordHash: "$2a$99$IlTccj68Enc2eFkkCMdY/eLvSq/28UCD/TSyvN7AvoBQgx2yH8ilO",
		}}}
		create(ctx, object)
		Eventually(ctx, condition(object, v1alpha1.ConditionAccepted)).Should(Equal("False Invalid"))
		Expect(message(ctx, object, v1alpha1.ConditionAccepted)).To(ContainSubstring("alice"))
	})
})
