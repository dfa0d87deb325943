package controllers

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// What a sidecar does beside validating. As in schema_test.go, nothing is stored.

// sidecar changes how a server's sidecar runs.
func sidecar(edit func(*v1alpha1.Sidecar)) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) {
		s.Spec.Sidecar = &v1alpha1.Sidecar{}
		edit(s.Spec.Sidecar)
	}
}

func listening(port, healthPort int32) func(*v1alpha1.MCPServer) {
	return sidecar(func(s *v1alpha1.Sidecar) { s.Port, s.HealthPort = &port, &healthPort })
}

func reporting(endpoint string, percent int32) func(*v1alpha1.MCPServer) {
	return sidecar(func(s *v1alpha1.Sidecar) {
		s.Telemetry = &v1alpha1.Telemetry{OTLPEndpoint: endpoint, TracePercent: percent}
	})
}

// limited changes what callers may ask of a server.
func limited(edit func(*v1alpha1.Limits)) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) {
		s.Spec.Limits = &v1alpha1.Limits{}
		edit(s.Spec.Limits)
	}
}

// rated sets the fields of a rate that are not zero.
func rated(requests, burst, streams int32, per v1alpha1.RatePeriod) func(*v1alpha1.MCPServer) {
	set := func(n int32) *int32 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return limited(func(l *v1alpha1.Limits) {
		l.PerUser = &v1alpha1.Rate{Requests: set(requests), Burst: set(burst), Streams: set(streams), Per: per}
	})
}

func failingClosed(after time.Duration) func(*v1alpha1.MCPServer) {
	return func(s *v1alpha1.MCPServer) {
		s.Spec.Revocation = &v1alpha1.ServerRevocation{FailClosedAfter: &metav1.Duration{Duration: after}}
	}
}

func sized(body int64, header, depth int32) func(*v1alpha1.MCPServer) {
	return limited(func(l *v1alpha1.Limits) { l.MaxBodyBytes, l.MaxHeaderBytes, l.MaxDepth = &body, &header, &depth })
}

var _ = Describe("The schema of what a sidecar does beside validating", func() {
	const closedAfter = "failClosedAfter must be between 1m and 168h"
	DescribeTable("refuses", refused(validMCPServer),
		Entry("two uses of one port", listening(16000, 16000), "port and healthPort must differ"),
		Entry("a port for which one must be root", listening(1023, 15081), "spec.sidecar.port"),
		Entry("a port beyond the last", listening(15080, 65536), "spec.sidecar.healthPort"),
		Entry("an image with a space in it", sidecar(func(s *v1alpha1.Sidecar) { s.Image = "a b" }), "spec.sidecar.image"),
		Entry("an endless image", sidecar(func(s *v1alpha1.Sidecar) { s.Image = strings.Repeat("x", 513) }), "may not be more than 512"),
		Entry("a level that is none", sidecar(func(s *v1alpha1.Sidecar) { s.LogLevel = "Loud" }), "supported values"),
		Entry("a rollout that is neither", sidecar(func(s *v1alpha1.Sidecar) { s.Rollout = "Sometimes" }), "supported values"),
		Entry("telemetry to nowhere", reporting("", 1), "spec.sidecar.telemetry.otlpEndpoint"),
		Entry("telemetry by another protocol", reporting("grpc://collector:4317", 1), "spec.sidecar.telemetry.otlpEndpoint"),
		Entry("telemetry with a password", reporting("http://me:secret@collector:4318", 1), "spec.sidecar.telemetry.otlpEndpoint"),
		Entry("telemetry with a query", reporting("http://collector:4318?token=x", 1), "spec.sidecar.telemetry.otlpEndpoint"),
		Entry("more traces than requests", reporting("http://collector:4318", 101), "spec.sidecar.telemetry.tracePercent"),
		Entry("fewer traces than none", reporting("http://collector:4318", -1), "spec.sidecar.telemetry.tracePercent"),
		Entry("a certificate without a name", func(s *v1alpha1.MCPServer) { s.Spec.TLS = &v1alpha1.SidecarTLS{} }, "spec.tls.secretName"),
		Entry("a certificate with an endless name", func(s *v1alpha1.MCPServer) {
			s.Spec.TLS = &v1alpha1.SidecarTLS{SecretName: strings.Repeat("x", 254)}
		}, "may not be more than 253"),
		Entry("filtering that is neither on nor off", func(s *v1alpha1.MCPServer) { s.Spec.ListFiltering = "Maybe" }, "supported values"),
		Entry("names of arguments that are neither", func(s *v1alpha1.MCPServer) {
			s.Spec.Audit = &v1alpha1.ServerAudit{ArgumentNames: "Some"}
		}, "supported values"),
		Entry("a NetworkPolicy of nobody", func(s *v1alpha1.MCPServer) { s.Spec.Workload.NetworkPolicy = "None" }, "supported values"),
		Entry("a path for messages that is none", func(s *v1alpha1.MCPServer) { s.Spec.Workload.MessagePath = "messages" }, "spec.workload.messagePath"),
		Entry("a path for messages with a query", func(s *v1alpha1.MCPServer) { s.Spec.Workload.MessagePath = "/messages?x=y" }, "spec.workload.messagePath"),
		Entry("a feed that may be silent for seconds", failingClosed(59*time.Second), closedAfter),
		Entry("a feed that may be silent for weeks", failingClosed(168*time.Hour+time.Second), closedAfter),
	)
	DescribeTable("refuses", refused(validMCPServer),
		Entry("a rate of nothing", rated(0, 0, 0, v1alpha1.PerSecond), "set requests, streams or both"),
		Entry("a burst alone", rated(0, 5, 0, v1alpha1.PerSecond), "set requests, streams or both"),
		Entry("a burst of streams", rated(0, 5, 5, v1alpha1.PerSecond), "burst goes with requests"),
		Entry("a period that is none", rated(5, 0, 0, "Day"), "supported values"),
		Entry("a negative number of requests", rated(-1, 0, 0, v1alpha1.PerSecond), "spec.limits.perUser.requests"),
		Entry("more requests than there can be", rated(1_000_001, 0, 0, v1alpha1.PerHour), "spec.limits.perUser.requests"),
		Entry("a larger burst than there can be", rated(1, 1_000_001, 0, v1alpha1.PerHour), "spec.limits.perUser.burst"),
		Entry("more streams than there can be", rated(0, 0, 1_000_001, v1alpha1.PerHour), "spec.limits.perUser.streams"),
		Entry("bodies that hold no message", sized(1023, 32768, 100), "spec.limits.maxBodyBytes"),
		Entry("bodies that fill the memory", sized(67108865, 32768, 100), "spec.limits.maxBodyBytes"),
		Entry("heads that hold no token", sized(4194304, 4095, 100), "spec.limits.maxHeaderBytes"),
		Entry("endless heads", sized(4194304, 65537, 100), "spec.limits.maxHeaderBytes"),
		Entry("messages that are flat", sized(4194304, 32768, 7), "spec.limits.maxDepth"),
		Entry("messages without a ground", sized(4194304, 32768, 1001), "spec.limits.maxDepth"),
	)
	DescribeTable("accepts the limits",
		func(ctx context.Context, change func(*v1alpha1.MCPServer)) {
			object := validMCPServer(metav1.NamespaceDefault)
			change(object)
			Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		},
		Entry("the lowest ports", listening(1024, 1025)),
		Entry("the highest ports", listening(65535, 65534)),
		Entry("the least that may be asked", rated(1, 1, 1, v1alpha1.PerHour)),
		Entry("the most that may be asked", rated(1_000_000, 1_000_000, 1_000_000, v1alpha1.PerSecond)),
		Entry("streams alone", rated(0, 0, 1, "")),
		Entry("the smallest messages", sized(1024, 4096, 8)),
		Entry("the largest messages", sized(67108864, 65536, 1000)),
		Entry("no traces", reporting("https://collector.example.com/otlp", 0)),
		Entry("all traces", reporting("http://collector:4318", 100)),
		Entry("the shortest silence", failingClosed(time.Minute)),
		Entry("the longest silence", failingClosed(168*time.Hour)),
		Entry("resources", sidecar(func(s *v1alpha1.Sidecar) {
			s.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}}
		})),
	)

	It("fills in what is not said", func(ctx SpecContext) {
		object := validMCPServer(metav1.NamespaceDefault)
		rated(5, 0, 0, "")(object)
		object.Spec.Audit = &v1alpha1.ServerAudit{}
		Expect(k8s.Create(ctx, object, client.DryRunAll)).To(Succeed())
		Expect(object.Spec.ListFiltering).To(Equal(v1alpha1.Enabled))
		Expect(object.Spec.Audit.ArgumentNames).To(Equal(v1alpha1.Disabled))
		Expect(object.Spec.Workload.NetworkPolicy).To(Equal(v1alpha1.PolicyManaged))
		Expect(object.Spec.Limits.PerUser.Per).To(Equal(v1alpha1.PerSecond))
		Expect(object.Spec.Sidecar).To(BeNil(), "so that the AuthorizationServer's defaults hold")
	})

	DescribeTable("refuses the same as a default of an AuthorizationServer", refused(anAuthorizationServer),
		Entry("two uses of one port", func(s *v1alpha1.AuthorizationServer) {
			port := int32(16000)
			s.Spec.Sidecars = &v1alpha1.Sidecar{Port: &port, HealthPort: &port}
		}, "port and healthPort must differ"),
		Entry("telemetry to nowhere", func(s *v1alpha1.AuthorizationServer) {
			s.Spec.Sidecars = &v1alpha1.Sidecar{Telemetry: &v1alpha1.Telemetry{}}
		}, "spec.sidecars.telemetry.otlpEndpoint"),
	)

	endless := func(n, length int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Repeat("x", length-2) + string(rune('a'+i/26)) + string(rune('a'+i%26))
		}
		return list
	}
	DescribeTable("refuses of a Scope", refused(validScope),
		Entry("an empty method", func(s *v1alpha1.Scope) { s.Spec.Methods = []string{""} }, "spec.methods[0]"),
		Entry("an endless method", func(s *v1alpha1.Scope) { s.Spec.Methods = endless(1, 257) }, "may not be more than 256"),
		Entry("a method twice", func(s *v1alpha1.Scope) { s.Spec.Methods = []string{"a", "a"} }, "Duplicate value"),
		Entry("too many methods", func(s *v1alpha1.Scope) { s.Spec.Methods = endless(65, 9) }, "must have at most 64 items"),
		Entry("an included scope without a name", func(s *v1alpha1.Scope) { s.Spec.Includes = []string{""} }, "spec.includes[0]"),
		Entry("an included scope with an endless name", func(s *v1alpha1.Scope) { s.Spec.Includes = endless(1, 129) }, "may not be more than 128"),
		Entry("an included scope twice", func(s *v1alpha1.Scope) { s.Spec.Includes = []string{"a", "a"} }, "Duplicate value"),
		Entry("too many included scopes", func(s *v1alpha1.Scope) { s.Spec.Includes = endless(65, 9) }, "must have at most 64 items"),
	)
})
