// Command images builds the project's container images without a container engine or a registry:
// a static binary each, in an archive that containerd, Docker and kind can load.
//
//	go run ./hack/images -o DIR [NAME...]
//
// It prints a line for each image: reference, digest, file.
package main
