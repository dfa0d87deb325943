package injector

import (
	"os"
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// The configuration is written by hand, so it is held against the code.
func webhooks(t *testing.T) []admissionregistrationv1.MutatingWebhook {
	t.Helper()
	text, err := os.ReadFile("../config/webhook/injector.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg admissionregistrationv1.MutatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &cfg); err != nil {
		t.Fatal(err)
	}
	if len(cfg.Webhooks) == 0 {
		t.Fatal("the configuration has no webhook")
	}
	return cfg.Webhooks
}

func TestAttack41_EveryWebhookFailsClosed(t *testing.T) {
	for _, w := range webhooks(t) {
		t.Run(w.Name, func(t *testing.T) {
			if path := w.ClientConfig.Service.Path; path == nil || *path != Path {
				t.Errorf("it calls %v, the code serves %s", path, Path)
			}
			if w.FailurePolicy == nil || *w.FailurePolicy != admissionregistrationv1.Fail {
				t.Error("it lets pods in when the operator is away")
			}
			if w.NamespaceSelector != nil {
				t.Error("it leaves a namespace out, in which pods would start unprotected")
			}
			if w.ReinvocationPolicy == nil || *w.ReinvocationPolicy != admissionregistrationv1.IfNeededReinvocationPolicy {
				t.Error("it does not see what other injectors did after it")
			}
			all := admissionregistrationv1.NamespacedScope
			want := []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: &all},
			}}
			if diff := cmp.Diff(want, w.Rules); diff != "" {
				t.Errorf("what it is asked about (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWebhookIsAskedOnceAboutEveryPodThatAsksForAServer(t *testing.T) {
	const key = v1alpha1.ServerLabel
	named := map[string]any{key: "todo"}
	for _, test := range []struct {
		name     string
		metadata map[string]any
		asked    int
	}{
		{"by label", map[string]any{"labels": named}, 1},
		{"by annotation", map[string]any{"annotations": named}, 1},
		{"by both", map[string]any{"labels": named, "annotations": named}, 1},
		{"by an empty label", map[string]any{"labels": map[string]any{key: ""}}, 1},
		{"not at all", map[string]any{"labels": map[string]any{"app": "todo"}, "annotations": map[string]any{"note": "todo"}}, 0},
		{"without any metadata", map[string]any{}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			for _, w := range webhooks(t) {
				if matches(t, w, test.metadata) {
					asked++
				}
			}
			if asked != test.asked {
				t.Errorf("%d webhooks are asked about the pod, want %d", asked, test.asked)
			}
		})
	}
}

// matches decides as the API server does whether a webhook is asked.
func matches(t *testing.T, w admissionregistrationv1.MutatingWebhook, metadata map[string]any) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(w.ObjectSelector)
	if err != nil {
		t.Fatal(err)
	}
	set := labels.Set{}
	if own, ok := metadata["labels"].(map[string]any); ok {
		for key, value := range own {
			set[key] = value.(string)
		}
	}
	if !selector.Matches(set) {
		return false
	}
	for _, condition := range w.MatchConditions {
		if !evaluate(t, condition.Expression, metadata) {
			return false
		}
	}
	return true
}

func evaluate(t *testing.T, expression string, metadata map[string]any) bool {
	t.Helper()
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		t.Fatalf("%s: %v", expression, issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	value, _, err := program.Eval(map[string]any{"object": map[string]any{"metadata": metadata}})
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value.Value().(bool)
}
