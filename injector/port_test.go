package injector

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// placesOf returns where a type of the API says a port by number or name, as paths.
func placesOf(t reflect.Type, path string) []string {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		return placesOf(t.Elem(), path)
	}
	if t == reflect.TypeFor[intstr.IntOrString]() {
		return []string{path}
	}
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), "k8s.io/api/") {
		return nil
	}
	var places []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		places = append(places, placesOf(t.Field(i).Type, path+"/"+name)...)
	}
	return places
}

// TestThePlacesThatNameAPortInAPodAreKnown reads the API's types, so that a place that
// a later Kubernetes adds fails it. In today's API, only probes and hooks name a port,
// and always one of their own container (an ephemeral one may have neither); nothing names that of another one, neither
// variables, nor resourceFieldRef with its containerName, nor readiness gates.
func TestThePlacesThatNameAPortInAPodAreKnown(t *testing.T) {
	var want []string
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		for _, field := range []string{"lifecycle/postStart", "lifecycle/preStop", "livenessProbe", "readinessProbe", "startupProbe"} {
			want = append(want, "/"+list+"/"+field+"/httpGet/port", "/"+list+"/"+field+"/tcpSocket/port")
		}
	}
	got := placesOf(reflect.TypeFor[corev1.PodSpec](), "")
	for i, place := range got {
		got[i] = strings.ReplaceAll(place, "//", "/") // Embedded structs have no name.
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places that say a port (-want +got):\n%s", diff)
	}
}

func TestWhatNamedTheAppsPortInsideItGoesOnWorking(t *testing.T) {
	http := func(port string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.Parse(port)}}
	}
	tcp := func(port string) corev1.ProbeHandler {
		return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.Parse(port)}}
	}
	_, pod := readPod(t, "testdata/plain/in.yaml")
	app := appOf(pod)
	app.Ports = append(app.Ports, corev1.ContainerPort{Name: "metrics", ContainerPort: 9090})
	app.StartupProbe = &corev1.Probe{ProbeHandler: http("mcp")}
	app.ReadinessProbe = &corev1.Probe{ProbeHandler: tcp("mcp")}
	app.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}}
	app.Lifecycle = &corev1.Lifecycle{
		PostStart: &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("mcp")}},
		PreStop:   &corev1.LifecycleHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("metrics")}},
	}
	app.Env = []corev1.EnvVar{
		{Name: "PORT", Value: "8080"},
		{Name: "ADDRESS", Value: "$(TODO_SERVICE_HOST):$(PORT)"},
		{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: "app", Resource: "requests.cpu"}}},
	}
	// A neighbour that names a port of its own by the same word means its own.
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
		Name: "neighbour", Image: "neighbour:1",
		Ports:          []corev1.ContainerPort{{Name: "web", ContainerPort: 7070}},
		ReadinessProbe: &corev1.Probe{ProbeHandler: http("web")},
	})

	got := inject(t, pod, testConfig())
	want := pod.DeepCopy()
	expected := appOf(want)
	expected.Ports[0].Name = ""
	number := intstr.FromInt32(8080)
	expected.StartupProbe.HTTPGet.Port, expected.ReadinessProbe.TCPSocket.Port = number, number
	expected.Lifecycle.PostStart.HTTPGet.Port = number
	if diff := cmp.Diff(want.Spec.Containers, got.Spec.Containers); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

// TestNothingInTheAppNamesThePortThatItHasLost sets every place of a container that
// says a port to the name, whatever the places are.
func TestNothingInTheAppNamesThePortThatItHasLost(t *testing.T) {
	_, pod := readPod(t, "testdata/plain/in.yaml")
	nameEverywhere(reflect.ValueOf(appOf(pod)).Elem(), "mcp")
	text, err := json.Marshal(inject(t, pod, testConfig()).Spec.Containers)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"mcp"`) {
		t.Errorf("the app still names the port: %s", text)
	}
}

func nameEverywhere(v reflect.Value, name string) {
	if v.Type() == reflect.TypeFor[intstr.IntOrString]() {
		v.Set(reflect.ValueOf(intstr.FromString(name)))
		return
	}
	switch {
	case v.Kind() == reflect.Pointer && len(placesOf(v.Type(), "")) > 0:
		v.Set(reflect.New(v.Type().Elem()))
		nameEverywhere(v.Elem(), name)
	case v.Kind() == reflect.Struct && len(placesOf(v.Type(), "")) > 0:
		for i := range v.NumField() {
			nameEverywhere(v.Field(i), name)
		}
	}
}
