package controllers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"golang.org/x/crypto/bcrypt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// contract is the manifest that other tools rely on.
func contract() string {
	GinkgoHelper()
	text, err := os.ReadFile("../api/v1alpha1/testdata/contract.yaml")
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

var _ = Describe("The manifest that other tools rely on", func() {
	It("is stored as it is, and served", func(ctx SpecContext) {
		for _, name := range []string{"mcpauth-system", "apps"} {
			err := k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed())
		}
		hash, err := bcrypt.GenerateFromPassword([]byte("wonderland"), bcrypt.MinCost)
		Expect(err).NotTo(HaveOccurred())
		strict := client.WithFieldValidation(k8s, metav1.FieldValidationStrict)
		for _, object := range parse(strings.ReplaceAll(contract(), "<bcrypt>", string(hash))) {
			sent := object.DeepCopy()
			Expect(strict.Create(ctx, object)).To(Succeed(), object.GetKind())
			DeferCleanup(func(ctx context.Context) { _ = k8s.Delete(ctx, object) })
			Expect(holds(object.Object["spec"], sent.Object["spec"])).To(BeTrue(), "%s is stored as %v", object.GetKind(), object.Object["spec"])
		}
		makeAvailable(ctx, "mcpauth-system", true)
		for _, object := range []client.Object{
			&v1alpha1.AuthorizationServer{ObjectMeta: at("mcpauth-system", "main")},
			&v1alpha1.IdentityProvider{ObjectMeta: at("mcpauth-system", "people")},
			&v1alpha1.Scope{ObjectMeta: at("apps", "todo-read")},
			&v1alpha1.OAuthClient{ObjectMeta: at("apps", "agent")},
		} {
			Eventually(ctx, condition(object, v1alpha1.ConditionReady)).Should(Equal("True Ready"), "%T", object)
		}
		server := &v1alpha1.MCPServer{ObjectMeta: at("apps", "todo")}
		Eventually(ctx, condition(server, v1alpha1.ConditionProgrammed)).Should(Equal("True Programmed"))
		Expect(server.Status.Issuer).To(Equal("http://127.0.0.1:9400/resources/apps-todo"))
		Expect(server.Status.MetadataURL).To(Equal("http://127.0.0.1:9401/.well-known/oauth-protected-resource/mcp"))
		Expect(policyScopes(server)(ctx)).To(ConsistOf("todo:read"))

		var delivered corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: "apps", Name: "agent-oauth"}, &delivered)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { _ = k8s.Delete(ctx, &delivered) })
		Expect(delivered.Data).To(And(
			HaveKeyWithValue("client_id", []byte("agent")), HaveKey("client_secret"), HaveKey("issuer"), HaveKey("token_endpoint")))
	})

	It("is refused with a field that nobody knows, where kubectl asks for that", func(ctx SpecContext) {
		object := parse(contract())[0]
		object.Object["spec"].(map[string]any)["isuer"] = "http://127.0.0.1:9400"
		object.SetNamespace(namespace(ctx, nil))
		strict := client.WithFieldValidation(k8s, metav1.FieldValidationStrict)
		Expect(strict.Create(ctx, object, client.DryRunAll)).To(And(
			Satisfy(apierrors.IsBadRequest), MatchError(ContainSubstring(`unknown field "spec.isuer"`))))
	})
})

// parse reads the documents of a manifest.
func parse(text string) []*unstructured.Unstructured {
	GinkgoHelper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(text), 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		objects = append(objects, object)
	}
}

// holds reports whether all of want is in have, which may have more fields.
func holds(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		for key, value := range w {
			ok = ok && holds(h[key], value)
		}
		return ok
	case []any:
		h, ok := have.([]any)
		ok = ok && len(h) == len(w)
		for i := range w {
			ok = ok && holds(h[i], w[i])
		}
		return ok
	default:
		return have == want
	}
}
