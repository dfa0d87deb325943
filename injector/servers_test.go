package injector

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

func todoServer(edits ...func(*v1alpha1.MCPServer)) *v1alpha1.MCPServer {
	server := &v1alpha1.MCPServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "todo", Generation: 2},
		Spec:       v1alpha1.MCPServerSpec{Workload: &v1alpha1.Workload{Port: 8080}},
	}
	for _, edit := range edits {
		edit(server)
	}
	return server
}

func accepted(status metav1.ConditionStatus, generation int64) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) {
		s.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionAccepted, Status: status, ObservedGeneration: generation,
			Reason: string(v1alpha1.ReasonConflict), Message: "url is that of MCPServer apps/older",
		}}
	}
}

func clusterOf(t testing.TB, objects ...client.Object) *Cluster {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return &Cluster{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), Image: "mcpauth/sidecar:test"}
}

func TestServerFor(t *testing.T) {
	for _, test := range []struct {
		name    string
		server  *v1alpha1.MCPServer
		refusal string
	}{
		{"returns the port of an accepted server", todoServer(accepted(metav1.ConditionTrue, 2)), ""},
		{"lets a server through that nobody has judged yet", todoServer(), ""},
		{"lets a server through that was corrected since it was refused", todoServer(accepted(metav1.ConditionFalse, 1)), ""},
		{"refuses a server that is not accepted, and says why", todoServer(accepted(metav1.ConditionFalse, 2)),
			`MCPServer "todo" is not accepted: url is that of MCPServer apps/older`},
		{"refuses a server that runs elsewhere", todoServer(func(s *v1alpha1.MCPServer) { s.Spec.Workload = nil }),
			`set spec.workload.port for a sidecar, or remove the label mcpauth.dev/server`},
		{"refuses a server of another namespace", todoServer(func(s *v1alpha1.MCPServer) { s.Namespace = "other" }),
			`there is no MCPServer "todo" in namespace "apps"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, err := clusterOf(t, test.server).ServerFor(context.Background(), "apps", "todo")
			if test.refusal == "" {
				if diff := cmp.Diff(testConfig().withDefaults(), cfg); err != nil || diff != "" {
					t.Errorf("ServerFor: error %v, config (-want +got):\n%s", err, diff)
				}
				return
			}
			var refusal *Refusal
			if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, test.refusal) {
				t.Errorf("ServerFor = %v, want a *Refusal that says %q", err, test.refusal)
			}
		})
	}
}

func TestServerForTellsTroubleFromARefusal(t *testing.T) {
	trouble := errors.New("connection refused")
	cluster := clusterOf(t)
	cluster.Reader = interceptor.NewClient(cluster.Reader.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return trouble
		},
	})
	_, err := cluster.ServerFor(context.Background(), "apps", "todo")
	var refusal *Refusal
	if !errors.Is(err, trouble) || errors.As(err, &refusal) {
		t.Errorf("ServerFor = %v, want the error of the cluster and no *Refusal", err)
	}
}

func TestServerOf(t *testing.T) {
	const key = v1alpha1.ServerLabel
	type meta = metav1.ObjectMeta
	for _, test := range []struct {
		name    string
		object  meta
		want    string
		refused bool
	}{
		{"asks for nothing", meta{Labels: map[string]string{"app": "todo"}}, "", false},
		{"asks by label", meta{Labels: map[string]string{key: "todo"}}, "todo", false},
		{"asks by annotation", meta{Annotations: map[string]string{key: "todo"}}, "todo", false},
		{"asks by both", meta{Labels: map[string]string{key: "todo"}, Annotations: map[string]string{key: "todo"}}, "todo", false},
		{"asks for two servers", meta{Labels: map[string]string{key: "todo"}, Annotations: map[string]string{key: "other"}}, "", true},
		{"has an empty label", meta{Labels: map[string]string{key: ""}}, "", true},
		{"has an empty annotation", meta{Annotations: map[string]string{key: ""}}, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ServerOf(&test.object)
			var refusal *Refusal
			if got != test.want || errors.As(err, &refusal) != test.refused {
				t.Errorf("ServerOf = %q, %v; want %q, refused: %t", got, err, test.want, test.refused)
			}
		})
	}
}
