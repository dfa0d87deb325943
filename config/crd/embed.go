// Package crd carries the generated CustomResourceDefinitions, so that programs
// without an API server check manifests by the same schemas and rules as one.
package crd

import "embed"

// Files are the manifests, one definition a file.
//
//go:embed mcpauth.dev_*.yaml
var Files embed.FS
