package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
)

// namespace makes one with a name of its own.
func namespace(ctx context.Context, labels map[string]string) string {
	GinkgoHelper()
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-", Labels: labels}}
	Expect(k8s.Create(ctx, object)).To(Succeed())
	return object.Name
}

// create makes an object, and removes it after the spec so that later ones find
// their names and URLs free.
func create[T client.Object](ctx context.Context, object T) T {
	GinkgoHelper()
	Expect(k8s.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { _ = k8s.Delete(ctx, object.DeepCopyObject().(client.Object)) })
	return object
}

func at(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// anAuthorizationServer is one that every namespace may use.
func anAuthorizationServer(namespace string) *v1alpha1.AuthorizationServer {
	return &v1alpha1.AuthorizationServer{
		ObjectMeta: at(namespace, "main"),
		Spec: v1alpha1.AuthorizationServerSpec{
			Issuer:            "https://auth." + namespace + ".example.com",
			Storage:           v1alpha1.Storage{Type: v1alpha1.StorageSQLite},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesAll},
		},
	}
}

func anMCPServer(namespace, name, authorizationServer string) *v1alpha1.MCPServer {
	return &v1alpha1.MCPServer{
		ObjectMeta: at(namespace, name),
		Spec: v1alpha1.MCPServerSpec{
			AuthorizationServerRef: v1alpha1.AuthorizationServerReference{Name: "main", Namespace: authorizationServer},
			URL:                    "https://" + name + "." + namespace + ".example.com/mcp",
			Workload:               &v1alpha1.Workload{Port: 8080, Path: "/mcp"},
		},
	}
}

func aScope(namespace, name, text string, servers ...string) *v1alpha1.Scope {
	return &v1alpha1.Scope{
		ObjectMeta: at(namespace, name),
		Spec:       v1alpha1.ScopeSpec{Scope: text, Description: "Do " + text, ServerRefs: refs(servers...), Tools: []string{"get_*"}},
	}
}

func anOAuthClient(namespace, name string, servers ...string) *v1alpha1.OAuthClient {
	return &v1alpha1.OAuthClient{
		ObjectMeta: at(namespace, name),
		Spec: v1alpha1.OAuthClientSpec{
			ServerRefs: refs(servers...),
			GrantTypes: []v1alpha1.GrantType{"client_credentials"},
			Secret:     &v1alpha1.ClientSecret{Name: name + "-oauth", Mode: v1alpha1.SecretGenerate},
		},
	}
}

// publicKeySet has the public key of RFC 7515 appendix A.3.
const publicKeySet = `{"keys":[{"kty":"EC","crv":"P-256","kid":"one",` +
	`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

func refs(servers ...string) []v1alpha1.LocalServerReference {
	out := make([]v1alpha1.LocalServerReference, len(servers))
	for i, name := range servers {
		out[i].Name = name
	}
	return out
}

// makeAvailable says of an AuthorizationServer's Deployment what the controllers
// of a whole cluster would say.
func makeAvailable(ctx context.Context, namespace string, available bool) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{ObjectMeta: at(namespace, compiler.ServiceName("main"))}
	changeStatus(ctx, deployment, func() {
		state := corev1.ConditionFalse
		deployment.Status = appsv1.DeploymentStatus{ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1}
		if available {
			state = corev1.ConditionTrue
			deployment.Status.ReadyReplicas, deployment.Status.AvailableReplicas = 1, 1
		}
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: state}}
	})
}

// readyAuthorizationServer is one that answers, as far as the cluster shows.
func readyAuthorizationServer(ctx context.Context) (server *v1alpha1.AuthorizationServer, itsNamespace string) {
	GinkgoHelper()
	itsNamespace = namespace(ctx, nil)
	server = create(ctx, anAuthorizationServer(itsNamespace))
	makeAvailable(ctx, itsNamespace, true)
	Eventually(ctx, condition(server, v1alpha1.ConditionReady)).Should(Equal("True Ready"))
	return server, itsNamespace
}

// change reads an object, as soon as it is there, changes it and writes it.
func change(ctx context.Context, object client.Object, edit func()) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit()
		return k8s.Update(ctx, object)
	}).Should(Succeed(), "change %T %s", object, object.GetName())
}

func changeStatus(ctx context.Context, object client.Object, edit func()) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		edit()
		return k8s.Status().Update(ctx, object)
	}).Should(Succeed(), "change the status of %T %s", object, object.GetName())
}

// touch has an object reconciled without changing what it wishes for. It sends the
// annotation alone: a whole object from Go spells durations in its own way, which
// makes another generation of it.
func touch(ctx context.Context, object client.Object) {
	GinkgoHelper()
	annotation := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/touched":%q}}}`, time.Now().Format(time.RFC3339Nano))
	Expect(k8s.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(annotation)))).To(Succeed())
}

// condition reads "STATUS Reason" of a condition that is about the object's
// present generation.
func condition(object client.Object, conditionType string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		c, err := readCondition(ctx, object, conditionType)
		if c == nil || err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %s", c.Status, c.Reason), nil
	}
}

// message reads the message of a condition.
func message(ctx context.Context, object client.Object, conditionType string) string {
	GinkgoHelper()
	c, err := readCondition(ctx, object, conditionType)
	Expect(err).NotTo(HaveOccurred())
	Expect(c).NotTo(BeNil(), "condition %s", conditionType)
	return c.Message
}

func readCondition(ctx context.Context, object client.Object, conditionType string) (*metav1.Condition, error) {
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return nil, err
	}
	c := meta.FindStatusCondition(conditionsOf(object), conditionType)
	if c == nil || c.ObservedGeneration != object.GetGeneration() {
		return nil, nil
	}
	return c, nil
}

func conditionsOf(object client.Object) []metav1.Condition {
	switch o := object.(type) {
	case *v1alpha1.AuthorizationServer:
		return o.Status.Conditions
	case *v1alpha1.IdentityProvider:
		return o.Status.Conditions
	case *v1alpha1.MCPServer:
		return o.Status.Conditions
	case *v1alpha1.Scope:
		return o.Status.Conditions
	case *v1alpha1.OAuthClient:
		return o.Status.Conditions
	default:
		panic(fmt.Sprintf("%T has no conditions", object))
	}
}

// eventsAbout are the reasons of the events about an object.
func eventsAbout(namespace, name string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var list corev1.EventList
		if err := k8s.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		var reasons []string
		for _, event := range list.Items {
			if event.InvolvedObject.Name == name && strings.HasPrefix(event.ReportingController, "mcpauth-") {
				reasons = append(reasons, event.Reason)
			}
		}
		return reasons, nil
	}
}
