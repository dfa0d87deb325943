// Package kube keeps the compiler's result of a live cluster up to date.
//
// A Compiler reads the informers of the custom resources and Namespaces,
// compiles whenever one of them has changed (many changes at once make one
// compilation), holds the result for any number of readers, and tells
// reconcilers which objects came out differently. The operator and the
// authorization server each run one.
package kube
