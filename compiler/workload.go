package compiler

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
)

// serviceAccountPrefix begins the subjects of Kubernetes ServiceAccounts, which go
// on "NAMESPACE:NAME".
const serviceAccountPrefix = "system:serviceaccount:"

// workloads finds who may act as a client by assertions of their own. One that
// cannot be is left out, and its problem is Partial.
func (a *authz) workloads(object *v1alpha1.OAuthClient) ([]catalog.Workload, []Problem) {
	var found []catalog.Workload
	var problems []Problem
	take := func(field string, w catalog.Workload) {
		if p := a.checkWorkload(object, field, w); p != nil {
			problems = append(problems, *p)
		} else if !slices.Contains(found, w) {
			found = append(found, w)
		}
	}
	for _, w := range object.Spec.Workloads {
		take("spec.workloads", catalog.Workload{TrustedIssuer: w.TrustedIssuer, Subject: w.Subject})
	}
	for _, account := range object.Spec.ServiceAccounts {
		const field = "spec.serviceAccounts"
		cluster := a.clusterIssuer()
		if cluster == nil {
			problems = append(problems, partly(v1alpha1.ReasonNotFound, field,
				"AuthorizationServer %s does not trust the ServiceAccounts of the cluster; its owner can add an issuer with cluster: true to spec.trustedIssuers", nameOf(a.object)))
			break
		}
		namespace := cmp.Or(account.Namespace, object.Namespace)
		take(field, catalog.Workload{TrustedIssuer: cluster.Name, Subject: serviceAccountPrefix + namespace + ":" + account.Name})
	}
	return found, problems
}

func (a *authz) checkWorkload(object *v1alpha1.OAuthClient, field string, w catalog.Workload) *Problem {
	var p Problem
	switch trusted := a.trustedIssuer(w.TrustedIssuer); {
	case trusted == nil && a.names(w.TrustedIssuer):
		p = partly(v1alpha1.ReasonInvalid, field, "trusted issuer %q of AuthorizationServer %s is not accepted; that object's status says why", w.TrustedIssuer, nameOf(a.object))
	case trusted == nil:
		p = partly(v1alpha1.ReasonNotFound, field, "AuthorizationServer %s has no trusted issuer %q; its owner can add it to spec.trustedIssuers", nameOf(a.object), w.TrustedIssuer)
	case trusted.Kind != catalog.WorkloadAssertion:
		p = partly(v1alpha1.ReasonInvalid, field, "trusted issuer %q of AuthorizationServer %s vouches for users, not for workloads", w.TrustedIssuer, nameOf(a.object))
	case trusted.Cluster && !strings.HasPrefix(w.Subject, serviceAccountPrefix+object.Namespace+":"):
		p = partly(v1alpha1.ReasonNotPermitted, field,
			"%q is not a ServiceAccount of namespace %q; a client is for those of its own namespace, so make an OAuthClient beside the ServiceAccount", w.Subject, object.Namespace)
	default:
		return nil
	}
	return &p
}

// trustedIssuer finds an accepted one, or nil.
func (a *authz) trustedIssuer(name string) *catalog.TrustedIssuer {
	return a.findTrusted(func(t *catalog.TrustedIssuer) bool { return t.Name == name })
}

// clusterIssuer is the accepted one that stands for the cluster, or nil.
func (a *authz) clusterIssuer() *catalog.TrustedIssuer { return a.findTrusted(isCluster) }

func (a *authz) findTrusted(is func(*catalog.TrustedIssuer) bool) *catalog.TrustedIssuer {
	if i := slices.IndexFunc(a.content.TrustedIssuers, is); i >= 0 {
		return a.content.TrustedIssuers[i]
	}
	return nil
}

// names reports whether the object has a trusted issuer of the name, accepted or not.
func (a *authz) names(trustedIssuer string) bool {
	return slices.ContainsFunc(a.object.Spec.TrustedIssuers, func(t v1alpha1.TrustedIssuer) bool { return t.Name == trustedIssuer })
}

// partly is a reference that does not resolve while the rest of the object is
// served.
func partly(reason v1alpha1.Reason, field, format string, args ...any) Problem {
	p := unresolved(reason, field, format, args...)
	p.Partial = true
	return p
}
