// Package binaries builds the programs that a Kubernetes node is made of from the Go module proxy
// and keeps them in the user's cache folder.
//
// Each upstream project has a small module of its own under hack/build, whose go.sum pins every
// line that is compiled. A program is built once for each key (version, go.mod, go.sum, flags):
//
//	CACHE/mcpauth/binaries/store/kube-apiserver-v1.37.2-linux-amd64-<key>/kube-apiserver
//	CACHE/mcpauth/binaries/sets/<key of all>/kube-apiserver -> ../../store/…
//
// A set is one folder with every program under its plain name; it serves as KUBEBUILDER_ASSETS.
package binaries
