// Package manifests describes the objects that the operator makes, a file for
// each: pure functions from a custom resource, and what was compiled for it, to
// the child object as it should be.
//
//	AuthorizationServer ─▶ key Secret, volume claim (SQLite)   (made once, then left alone)
//	                    ─▶ ServiceAccount, Role, RoleBinding,
//	                       ClusterRoleBinding, Deployment, Service
//	MCPServer           ─▶ ConfigMap with its policy, NetworkPolicy for the app's port,
//	                       label and annotation on its workload's pod template
//	OAuthClient         ─▶ Secret with its credentials, their hashes beside the AuthorizationServer
//
// What is kept in step is described by apply configurations: they hold the
// operator's own fields and no others. What is made once is described by whole
// objects. Who writes them, and when, is package controllers'.
package manifests
