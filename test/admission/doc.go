// Package admission tests what a real API server makes of config/webhook: the webhook
// that injects sidecars, and the policies that keep its names for it. The operator's
// webhook is the real one; its reconcilers are not there, since nothing here needs them.
//
// It needs kube-apiserver and etcd; make test-controllers builds them.
package admission
