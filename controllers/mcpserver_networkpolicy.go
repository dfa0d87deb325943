package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/controllers/manifests"
	"github.com/mcpauth/mcpauth/controllers/reachability"
)

// readPolicies finds the NetworkPolicies of others that are about the server's pods,
// or will be about those that its workloads start. They are the cache's own: nobody
// changes them.
func (r *MCPServerReconciler) readPolicies(ctx context.Context, s *mcpServer) error {
	if s.object.Spec.Workload == nil {
		return nil
	}
	var list networkingv1.NetworkPolicyList
	err := r.List(ctx, &list, client.InNamespace(s.object.Namespace),
		client.MatchingFields{authorIndex: othersValue}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return fmt.Errorf("list the NetworkPolicies of namespace %s: %w", s.object.Namespace, err)
	}
	pods := s.podLabels()
	for i := range list.Items {
		policy := &list.Items[i]
		// Ours that somebody has changed is repaired, not obeyed.
		theirs := policy.DeletionTimestamp.IsZero() && (policy.Name != manifests.NetworkPolicyName(s.object.Name) || !writtenByUs(policy))
		if theirs && slices.ContainsFunc(pods, func(labels map[string]string) bool { return reachability.Selects(policy, labels) }) {
			s.policies = append(s.policies, policy)
		}
	}
	slices.SortFunc(s.policies, func(a, b *networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// podLabels are those of the server's pods, and of the pods that its workloads start.
func (s *mcpServer) podLabels() []map[string]string {
	var all []map[string]string
	for _, pod := range s.pods {
		all = append(all, pod.Labels)
	}
	for _, w := range s.workloads {
		labels := map[string]string{v1alpha1.ServerLabel: s.object.Name}
		for key, value := range w.template.Labels {
			labels[key] = value
		}
		all = append(all, labels)
	}
	return all
}

// closePort keeps the NetworkPolicy that closes the app's port. Policies add up: beside
// one of somebody else, ours would open every port that the other closes, so there is
// none of ours then, and what the others say of the port is looked at instead. The one
// of a server that is not accepted any more stays as it was: what runs goes on.
func (r *MCPServerReconciler) closePort(ctx context.Context, s *mcpServer) error {
	var written networkingv1.NetworkPolicy
	key := client.ObjectKey{Namespace: s.object.Namespace, Name: manifests.NetworkPolicyName(s.object.Name)}
	found, err := get(ctx, r.Client, key, &written)
	if err != nil {
		return err
	}
	mine := found && writtenByUs(&written)
	w := s.object.Spec.Workload
	wanted := w != nil && w.NetworkPolicy != v1alpha1.PolicyUnmanaged && len(s.policies) == 0
	switch {
	case s.compiled == nil:
		s.closed = mine
	case found && !mine: // somebody else has made one by this name
		s.policies = append(s.policies, &written)
	case wanted:
		s.closed = true
		return apply(ctx, r.Client, mcpServerManager, &networkingv1.NetworkPolicy{}, manifests.NetworkPolicy(s.object), networkingv1ac.ExtractNetworkPolicy)
	case mine:
		return r.withdraw(ctx, s, &written)
	}
	return nil
}

// writtenByUs reports whether a NetworkPolicy's specification is of our making,
// whatever somebody has made of it since.
func writtenByUs(policy *networkingv1.NetworkPolicy) bool {
	have, err := networkingv1ac.ExtractNetworkPolicy(policy, string(mcpServerManager))
	return err == nil && have.Spec != nil
}

// withdraw deletes the NetworkPolicy as it was read.
func (r *MCPServerReconciler) withdraw(ctx context.Context, s *mcpServer, policy *networkingv1.NetworkPolicy) error {
	err := r.Delete(ctx, policy, client.Preconditions{UID: &policy.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete NetworkPolicy %s: %w", client.ObjectKeyFromObject(policy), err)
	}
	if err == nil {
		r.Recorder.Eventf(s.object, policy, corev1.EventTypeNormal, "NetworkPolicyWithdrawn", "WithdrawNetworkPolicy", "%s", s.whyWithdrawn())
	}
	return nil
}

func (s *mcpServer) whyWithdrawn() string {
	if len(s.policies) == 0 {
		return "deleted the NetworkPolicy that closed the app's port, as spec.workload says"
	}
	return fmt.Sprintf("deleted the NetworkPolicy that closed the app's port, since it would widen what NetworkPolicy %s allows",
		client.ObjectKeyFromObject(s.policies[0]))
}
