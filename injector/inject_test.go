package injector

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files of Inject anew")

func testConfig() Config {
	return Config{Server: "todo", Image: "mcpauth/sidecar:test", AppPort: 8080}
}

// refused is what a golden file holds where Inject refuses.
type refused struct {
	Refused string `json:"refused"`
}

func TestInjectMakesOfEachPodWhatItsGoldenFileSays(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			raw, pod := readPod(t, filepath.Join("testdata", name, "in.yaml"))
			before := pod.DeepCopy()
			patch, err := Inject(pod, testConfig())
			if diff := cmp.Diff(before, pod); diff != "" {
				t.Errorf("Inject changed its argument (-before +after):\n%s", diff)
			}
			compareGolden(t, filepath.Join("testdata", name, "want.yaml"), outcome(t, raw, patch, err))
		})
	}
}

func TestInjectChangesNothingTheSecondTime(t *testing.T) {
	for _, name := range cases(t) {
		_, pod := readPod(t, filepath.Join("testdata", name, "want.yaml"))
		if len(pod.Spec.Containers) == 0 {
			continue // The case is one of a refusal.
		}
		t.Run(name, func(t *testing.T) {
			patch, err := Inject(pod, testConfig())
			if err != nil || len(patch) != 0 {
				t.Errorf("Inject of an injected pod = %v, %v; want no operation and no error", patch, err)
			}
		})
	}
}

func TestInjectUsesThePortsOfTheConfig(t *testing.T) {
	_, pod := readPod(t, "testdata/port-taken/in.yaml")
	cfg := testConfig()
	cfg.Port, cfg.HealthPort = 16080, 16081
	patch, err := Inject(pod, cfg)
	if err != nil {
		t.Fatalf("Inject with ports that nobody has: %v", err)
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	got := decodePod(t, apply(t, raw, patch)).Spec.InitContainers[0]
	if diff := cmp.Diff([]string{"--policy=/etc/mcpauth/policy.json", "--listen=:16080", "--health-listen=:16081"}, got.Args); diff != "" {
		t.Errorf("arguments of the sidecar (-want +got):\n%s", diff)
	}
	if port := got.ReadinessProbe.HTTPGet.Port.IntValue(); port != 16081 {
		t.Errorf("the readiness probe asks port %d, want 16081", port)
	}
}

// cases are the folders of testdata, each of which holds its two files and no
// leftover.
func cases(t *testing.T) []string {
	t.Helper()
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join("testdata", folder.Name(), "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if base := filepath.Base(file); base != "in.yaml" && base != "want.yaml" {
				t.Errorf("%s is stale: no test reads it", file)
			}
		}
		if _, err := os.Stat(filepath.Join("testdata", folder.Name(), "in.yaml")); err != nil {
			t.Errorf("testdata/%s is stale: %v", folder.Name(), err)
			continue
		}
		names = append(names, folder.Name())
	}
	return names
}

// outcome is the patched pod, or the refusal, as YAML.
func outcome(t *testing.T, raw []byte, patch Patch, err error) []byte {
	t.Helper()
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		text, err := yaml.Marshal(refused{refusal.Message})
		if err != nil {
			t.Fatal(err)
		}
		return text
	case err != nil:
		t.Fatalf("Inject: %v, which is no *Refusal", err)
	}
	text, err := yaml.JSONToYAML(apply(t, raw, patch))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// apply does to the JSON of a pod what the API server does.
func apply(t testing.TB, raw []byte, patch Patch) []byte {
	t.Helper()
	if len(patch) == 0 {
		return raw
	}
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jsonpatch.DecodePatch(data)
	if err != nil {
		t.Fatalf("the patch is not one: %v", err)
	}
	patched, err := decoded.Apply(raw)
	if err != nil {
		t.Fatalf("apply %s: %v", data, err)
	}
	return patched
}

func readPod(t testing.TB, file string) ([]byte, *corev1.Pod) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return raw, decodePod(t, raw)
}

func decodePod(t testing.TB, raw []byte) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}
	return &pod
}

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; accept with -update):\n%s", file, diff)
	}
}

func BenchmarkInject(b *testing.B) {
	_, pod := readPod(b, "testdata/named-probes/in.yaml")
	cfg := testConfig()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inject(pod, cfg); err != nil {
			b.Fatal(err)
		}
	}
}
