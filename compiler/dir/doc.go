// Package dir reads the compiler's input from files instead of a cluster.
//
// It does what an API server would: strict decoding, defaults, the schema and
// the CEL rules of the CustomResourceDefinitions. Everything that is wrong, there
// or at compilation, is reported by file, document and field.
package dir
