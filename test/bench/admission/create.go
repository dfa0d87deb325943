//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/injector"
)

func unstructuredOf(object map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object}
}

// plainPod is a pod as an application has it, which asks for nothing.
func plainPod() *corev1.Pod {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("mcp")}}}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "todo-", Labels: map[string]string{"app": "todo"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "todo:1", Ports: []corev1.ContainerPort{{Name: "mcp", ContainerPort: 8080}},
			LivenessProbe: probe, ReadinessProbe: probe,
			Env: []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "info"}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
			},
		}}},
	}
}

// injectedPod asks for the i-th server.
func injectedPod(i int) *corev1.Pod {
	pod := plainPod()
	pod.Labels[v1alpha1.ServerLabel] = serverName(i)
	return pod
}

// create has a pod created but not kept, and fails where it was not given what it
// should have been.
func (c *cluster) create(ctx context.Context, pod *corev1.Pod, injected bool) (time.Duration, error) {
	begin := time.Now()
	made, err := c.clients.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	has := slices.ContainsFunc(made.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == injector.ContainerName })
	if has != injected {
		return 0, fmt.Errorf("the pod has the sidecar: %t, want %t", has, injected)
	}
	return took, nil
}

// load creates a number of pods, so many at once, and returns how long each took.
func (c *cluster) load(ctx context.Context, pods, workers int, next func() (pod *corev1.Pod, injected bool)) ([]time.Duration, error) {
	took := make([]time.Duration, pods)
	var index atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for {
				i := int(index.Add(1)) - 1
				if i >= pods {
					return nil
				}
				pod, injected := next()
				var err error
				if took[i], err = c.create(ctx, pod, injected); err != nil {
					return err
				}
			}
		})
	}
	return took, group.Wait()
}

// quantile is the value below which a share of all lies.
func quantile(all []time.Duration, share float64) time.Duration {
	ordered := slices.Sorted(slices.Values(all))
	return ordered[min(len(ordered)-1, int(share*float64(len(ordered))))]
}
