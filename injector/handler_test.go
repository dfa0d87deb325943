package injector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// serversFunc are Servers without a cluster.
type serversFunc func(namespace, name string) (Config, error)

func (f serversFunc) ServerFor(_ context.Context, namespace, name string) (Config, error) {
	return f(namespace, name)
}

func noServers(namespace, name string) (Config, error) {
	return Config{}, errors.New("nobody should have asked for " + namespace + "/" + name)
}

func todoOnly(namespace, name string) (Config, error) {
	if namespace != "apps" || name != "todo" {
		return Config{}, refuse("there is no MCPServer %q", name)
	}
	return testConfig(), nil
}

func newWebhook(t testing.TB, servers Servers) http.Handler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	handler := &Handler{Servers: servers, Decoder: admission.NewDecoder(scheme)}
	webhook, err := admission.StandaloneWebhook(&admission.Webhook{Handler: handler}, admission.StandaloneOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return webhook
}

// review is the AdmissionReview that the API server sends for a pod.
func review(t testing.TB, pod []byte, edits ...func(*admissionv1.AdmissionRequest)) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/review.json")
	if err != nil {
		t.Fatal(err)
	}
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	r.Request.Object.Raw = pod
	for _, edit := range edits {
		edit(r.Request)
	}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(t testing.TB, webhook http.Handler, body []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	webhook.ServeHTTP(recorder, request)
	var r admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &r); err != nil || r.Response == nil {
		t.Fatalf("the answer %q is no AdmissionReview: %v", recorder.Body, err)
	}
	return r.Response
}

func TestTheWebhookPatchesAPodThatAsksForAServer(t *testing.T) {
	for _, name := range []string{"plain", "annotation-only", "unknown-fields", "reinvoked"} {
		t.Run(name, func(t *testing.T) {
			raw, _ := readPod(t, "testdata/"+name+"/in.yaml")
			response := post(t, newWebhook(t, serversFunc(todoOnly)), review(t, raw))
			if !response.Allowed || response.UID != "705ab4f5-6393-11e8-b7cc-42010a800002" {
				t.Fatalf("response = %+v, want the request allowed under its UID", response)
			}
			var patch Patch
			if len(response.Patch) > 0 {
				if err := json.Unmarshal(response.Patch, &patch); err != nil {
					t.Fatal(err)
				}
			}
			_, want := readPod(t, "testdata/"+name+"/want.yaml")
			if diff := cmp.Diff(want, decodePod(t, apply(t, raw, patch))); diff != "" {
				t.Errorf("patched pod (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheWebhookLeavesOtherPodsAlone(t *testing.T) {
	pod := []byte(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"web:1"}]}}`)
	response := post(t, newWebhook(t, serversFunc(noServers)), review(t, pod))
	if !response.Allowed || len(response.Patch) != 0 {
		t.Errorf("response = %+v, want the pod allowed as it is", response)
	}
}

func TestAttack41_WhatCannotBeProtectedDoesNotStart(t *testing.T) {
	plain, _ := readPod(t, "testdata/plain/in.yaml")
	mimic, _ := readPod(t, "testdata/mimic-image/in.yaml")
	for _, test := range []struct {
		name    string
		servers serversFunc
		pod     []byte
		edit    func(*admissionv1.AdmissionRequest)
		code    int32
		says    string
	}{
		{"its server is not there", func(string, string) (Config, error) { return Config{}, refuse("there is no MCPServer") }, plain, nil, http.StatusForbidden, "there is no MCPServer"},
		{"its server is in another namespace", todoOnly, plain, func(r *admissionv1.AdmissionRequest) { r.Namespace = "other" }, http.StatusForbidden, `no MCPServer "todo"`},
		{"its server cannot be read", func(string, string) (Config, error) { return Config{}, errors.New("dial 10.0.0.1: refused") }, plain, nil, http.StatusInternalServerError, "not let in unprotected, try again"},
		{"its server panics", func(string, string) (Config, error) { panic("broken") }, plain, nil, http.StatusInternalServerError, "panic"},
		{"it mimics the sidecar", todoOnly, mimic, nil, http.StatusForbidden, "remove the container mcpauth-sidecar and the volume mcpauth-policy and the annotation mcpauth.dev/injected"},
		{"its label and annotation disagree", todoOnly, bytes.Replace(plain, []byte(`"metadata":{`), []byte(`"metadata":{"annotations":{"mcpauth.dev/server":"other"},`), 1), nil, http.StatusForbidden, "let them agree"},
		{"it is not a Pod inside", noServers, []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`), nil, http.StatusBadRequest, "read the pod"},
		{"it is cut short", noServers, []byte(`{"apiVersion":"v1","kind":"Pod","spec":{"containers":7}}`), nil, http.StatusBadRequest, "read the pod"},
		{"it is of another kind", noServers, plain, func(r *admissionv1.AdmissionRequest) { r.Kind.Kind = "ReplicaSet" }, http.StatusBadRequest, "not for CREATE of ReplicaSet"},
		{"it is there already", noServers, plain, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }, http.StatusBadRequest, "not for UPDATE of Pod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var edits []func(*admissionv1.AdmissionRequest)
			if test.edit != nil {
				edits = append(edits, test.edit)
			}
			response := post(t, newWebhook(t, test.servers), review(t, test.pod, edits...))
			if response.Allowed || len(response.Patch) != 0 {
				t.Fatalf("response = %+v, want a denial without a patch", response)
			}
			if response.Result.Code != test.code || !strings.Contains(response.Result.Message, test.says) {
				t.Errorf("denied with %d %q, want %d and %q", response.Result.Code, response.Result.Message, test.code, test.says)
			}
			if strings.Contains(response.Result.Message, "10.0.0.1") {
				t.Errorf("the message %q tells a stranger of the cluster's inside", response.Result.Message)
			}
		})
	}
}

func TestTheWebhookAnswersNonsenseWithADenial(t *testing.T) {
	for name, body := range map[string]string{
		"empty":               "",
		"no JSON":             "pod",
		"no review":           `{"apiVersion":"v1","kind":"Pod"}`,
		"review without pod":  string(review(t, []byte(`null`))),
		"review of something": strings.Replace(string(review(t, []byte(`{}`))), `"object":{}`, `"object":[]`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if response := post(t, newWebhook(t, serversFunc(noServers)), []byte(body)); response.Allowed {
				t.Errorf("response = %+v, want a denial", response)
			}
		})
	}
}

func BenchmarkHandler(b *testing.B) {
	raw, _ := readPod(b, "testdata/named-probes/in.yaml")
	webhook, body := newWebhook(b, clusterOf(b, todoServer())), review(b, raw)
	b.ReportAllocs()
	for b.Loop() {
		if response := post(b, webhook, body); !response.Allowed {
			b.Fatal(response.Result.Message)
		}
	}
}
