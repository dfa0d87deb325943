// Package e2e tells the story end to end on a real cluster: the one that
// hack/cluster starts, or the one that MCPAUTH_E2E_CONTEXT names. "make test-e2e"
// runs it; nothing in it knows which cluster it is.
package e2e
