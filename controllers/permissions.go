package controllers

// What the operator's process needs beside what its reconcilers name themselves.
//
// The compiler reads Namespaces for their labels. The operator hands out the
// right to read the custom resources and the Secrets of one namespace to
// authorization servers, and Kubernetes lets nobody give what he has not.
//
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
//
// The webhook's certificate: its CA goes into one webhook configuration, the rest
// into one Secret beside the operator.
//
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,resourceNames=mcpauth-injector,verbs=update
// +kubebuilder:rbac:groups="",namespace=mcpauth-system,resources=secrets,resourceNames=mcpauth-webhook-cert,verbs=update
//
// One replica leads.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=mcpauth-system,resources=leases,verbs=get;create;update
// +kubebuilder:rbac:groups="",namespace=mcpauth-system,resources=events,verbs=create;patch
