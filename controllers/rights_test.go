package controllers

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorAccount is that of config/manager.
const operatorAccount = "system:serviceaccount:mcpauth-system:mcpauth-operator"

// asOperator installs config/rbac and returns the configuration of somebody who
// has its rights and no others: every spec shows as well that they suffice.
func asOperator(ctx context.Context, config *rest.Config) *rest.Config {
	GinkgoHelper()
	err := k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mcpauth-system"}})
	Expect(err).NotTo(HaveOccurred())
	for _, file := range []string{"role.yaml", "operator.yaml", "authserver.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "config", "rbac", file))
		Expect(err).NotTo(HaveOccurred())
		for _, object := range parse(string(text)) {
			Expect(k8s.Create(ctx, object)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
		}
	}
	restricted := rest.CopyConfig(config)
	restricted.Impersonate = rest.ImpersonationConfig{UserName: operatorAccount}
	return restricted
}

var _ = Describe("The operator's account", func() {
	It("may not change the workloads of others beyond what protecting them takes", func(ctx SpecContext) {
		apps := namespace(ctx, nil)
		deployment := create(ctx, aDeployment(apps, "todo", nil))
		restricted, err := client.New(operator.manager.GetConfig(), client.Options{Scheme: operator.manager.GetScheme()})
		Expect(err).NotTo(HaveOccurred())
		Expect(restricted.Delete(ctx, deployment)).To(Satisfy(apierrors.IsForbidden))
		Expect(restricted.Create(ctx, &corev1.Pod{ObjectMeta: at(apps, "todo"), Spec: podSpec()})).To(Satisfy(apierrors.IsForbidden))
		Expect(restricted.Create(ctx, &corev1.Namespace{ObjectMeta: at("", apps+"-more")})).To(Satisfy(apierrors.IsForbidden))
	})
})
