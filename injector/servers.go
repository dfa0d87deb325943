package injector

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
)

// Servers says how the pods of MCPServers are injected.
type Servers interface {
	// ServerFor returns the Config of an MCPServer. A *Refusal says in words why
	// its pods cannot be let in; any other error means that it is not known.
	ServerFor(ctx context.Context, namespace, name string) (Config, error)
}

// Cluster is the Servers of a cluster: those of its MCPServers that the operator
// has not refused. It is safe for concurrent use.
type Cluster struct {
	// Reader reads MCPServers and AuthorizationServers, best from a cache.
	Reader client.Reader
	// Image is the sidecar's container image.
	Image string
}

// ServerFor implements Servers. A server that the operator has not judged yet is
// let through: until its policy is written the pod waits for its volume, so
// nothing is exposed in between.
func (c *Cluster) ServerFor(ctx context.Context, namespace, name string) (Config, error) {
	var server v1alpha1.MCPServer
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &server)
	switch {
	case apierrors.IsNotFound(err):
		return Config{}, refuse("there is no MCPServer %q in namespace %q, which the pod's %s names; "+
			"create it first, or remove the label and annotation from the pod", name, namespace, v1alpha1.ServerLabel)
	case err != nil:
		return Config{}, fmt.Errorf("read MCPServer %s/%s: %w", namespace, name, err)
	}
	accepted := meta.FindStatusCondition(server.Status.Conditions, v1alpha1.ConditionAccepted)
	if accepted != nil && accepted.Status == metav1.ConditionFalse && accepted.ObservedGeneration == server.Generation {
		return Config{}, refuse("MCPServer %q is not accepted: %s", name, accepted.Message)
	}
	defaults, err := c.defaultsFor(ctx, &server)
	if err != nil {
		return Config{}, err
	}
	return ConfigFor(&server, defaults, c.Image)
}

// defaultsFor reads what the server's AuthorizationServer says of sidecars. One that
// is not there, yet or any more, says nothing.
func (c *Cluster) defaultsFor(ctx context.Context, server *v1alpha1.MCPServer) (*v1alpha1.Sidecar, error) {
	ref := server.Spec.AuthorizationServerRef
	key := client.ObjectKey{Namespace: cmp.Or(ref.Namespace, server.Namespace), Name: ref.Name}
	var issuer v1alpha1.AuthorizationServer
	switch err := c.Reader.Get(ctx, key, &issuer); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read AuthorizationServer %s: %w", key, err)
	}
	return issuer.Spec.Sidecars, nil
}

// ServerOf returns the name of the MCPServer that an object asks to be protected
// by, in its label or annotation; nothing where it does not ask. It fails with a
// *Refusal where the two disagree or name nothing.
func ServerOf(o metav1.Object) (string, error) {
	label, labelled := o.GetLabels()[v1alpha1.ServerLabel]
	annotation, annotated := o.GetAnnotations()[v1alpha1.ServerAnnotation]
	switch {
	case labelled && label == "", annotated && annotation == "":
		return "", refuse("%s is empty; let it be the name of an MCPServer, or remove it", v1alpha1.ServerLabel)
	case labelled && annotated && label != annotation:
		return "", refuse("label %s says MCPServer %q, the annotation of the same name %q; let them agree", v1alpha1.ServerLabel, label, annotation)
	case labelled:
		return label, nil
	default:
		return annotation, nil
	}
}
