// Command images builds the project's container images without a container engine or a registry:
// a binary each, in an archive that containerd, Docker and kind can load. All are static but the
// authorization server's, which signs through OpenSSL where this machine has it to put beside it.
//
//	go run ./hack/images -o DIR [NAME...]
//
// It prints a line for each image: reference, digest, file.
package main
