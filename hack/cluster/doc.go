// Command cluster builds Kubernetes from the Go module proxy and runs a one-node cluster on a bare
// Linux machine, with neither a container engine nor a registry.
//
//	cluster binaries [--only envtest]   build what is missing, print the folder (KUBEBUILDER_ASSETS)
//	cluster can-run                     exit 0 when this machine can run a node, 3 and why when not
//	cluster up                          start the cluster, or find it running
//	cluster load IMAGE.tar...           import images
//	cluster exec -- COMMAND...          run a command inside the cluster's network, with KUBECONFIG
//	cluster status | logs COMPONENT     look at it
//	cluster down                        leave nothing behind
//
// All but the first two take --name, so that clusters can live side by side.
//
// Build it before use where the exit code matters: `go run` turns every failure into 1.
package main
