// Package clients runs MCP and OAuth clients, as npm ships them, against a
// protected server: scripts around the TypeScript SDKs and oauth4webapi, and
// programs that people start themselves.
//
// The scripts and the lock file are part of this package (node/). Install puts
// the locked packages, Node itself among them, into the user's cache, once for
// each lock file; Node.Run then runs a script there. The only thing needed on
// the machine is npm, which Install fetches on Debian when it runs as root.
// Node.Command is the command line of a program; who starts it decides what it
// may see.
//
//	node, err := clients.Install(ctx, "")
//	steps, err := node.Run(ctx, clients.SDKv1, "--url", url, "--username", "alice", "--password", password)
package clients
