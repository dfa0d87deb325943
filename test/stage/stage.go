package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Where the samples put things.
const (
	SystemNamespace = "mcpauth-system"
	AppNamespace    = "apps"

	// The ports of this machine at which the samples' URLs point.
	IssuerPort = 9400
	ServerPort = 9401
)

// waitTimeout bounds every wait for the cluster.
const waitTimeout = "240s"

// Stage is a cluster with mcpauth and the samples in it.
type Stage struct {
	Kubectl Kubectl
	// Root is the repository's folder.
	Root string
	// Out receives a line for every step; nil means nobody listens.
	Out io.Writer
}

// act is one step of setting the stage.
type act struct {
	what string
	do   func(context.Context) error
}

// Set installs the operator, applies the samples and waits until everything is
// Ready. Doing it again brings a stage that is set up to date, images included.
func (s *Stage) Set(ctx context.Context) error {
	restart := s.installed(ctx)
	acts := []act{
		{"install the definitions, RBAC, webhook and operator (kubectl apply -k config/default)", s.install},
		{"wait for the operator", s.rollout(SystemNamespace, "mcpauth-operator", restart)},
		{"apply the samples (kubectl apply -k config/samples)", s.samples},
		{"wait until every resource is Ready", s.ready(restart)},
	}
	for _, a := range acts {
		began := time.Now()
		if err := a.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", a.what, errors.Join(err, s.explain(ctx)))
		}
		s.say("✓ %-82s %5.1fs\n", a.what, time.Since(began).Seconds())
	}
	return nil
}

func (s *Stage) say(format string, args ...any) {
	if s.Out != nil {
		_, _ = fmt.Fprintf(s.Out, "  "+format, args...)
	}
}

func (s *Stage) installed(ctx context.Context) bool {
	_, err := s.Kubectl.Run(ctx, "-n", SystemNamespace, "get", "deployment", "mcpauth-operator")
	return err == nil
}

func (s *Stage) install(ctx context.Context) error {
	return s.applyFolder(ctx, "config/default",
		"wait", "--for=condition=Established", "--timeout="+waitTimeout, "crd", "-l", "app.kubernetes.io/part-of=mcpauth")
}

func (s *Stage) applyFolder(ctx context.Context, folder string, then ...string) error {
	if _, err := s.Kubectl.Run(ctx, "apply", "--server-side", "--force-conflicts", "-k", filepath.Join(s.Root, folder)); err != nil {
		return err
	}
	if len(then) == 0 {
		return nil
	}
	_, err := s.Kubectl.Run(ctx, then...)
	return err
}

func (s *Stage) rollout(namespace, deployment string, restart bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if restart { // the images may be newer than the pods
			if _, err := s.Kubectl.Run(ctx, "-n", namespace, "rollout", "restart", "deployment/"+deployment); err != nil {
				return err
			}
		}
		_, err := s.Kubectl.Run(ctx, "-n", namespace, "rollout", "status", "deployment/"+deployment, "--timeout="+waitTimeout)
		return err
	}
}

func (s *Stage) samples(ctx context.Context) error { return s.applyFolder(ctx, "config/samples") }

func (s *Stage) ready(restart bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if restart {
			err := errors.Join(
				s.rollout(SystemNamespace, "mcpauth-main", true)(ctx),
				s.rollout(AppNamespace, "todo", true)(ctx),
			)
			if err != nil {
				return err
			}
		}
		return s.WaitReady(ctx)
	}
}

// WaitReady waits until everything of mcpauth, in every namespace, is Ready.
func (s *Stage) WaitReady(ctx context.Context) error {
	for _, namespace := range []string{SystemNamespace, AppNamespace} {
		if _, err := s.Kubectl.Run(ctx, "-n", namespace, "wait", "--for=condition=Ready", "--timeout="+waitTimeout, "--all",
			"authorizationservers,identityproviders,mcpservers,scopes,oauthclients"); err != nil {
			return err
		}
	}
	return nil
}

// Reach connects the ports that the samples' URLs name to the cluster.
func (s *Stage) Reach(ctx context.Context) (stop func(), err error) {
	stopIssuer, err := s.Kubectl.Forward(ctx, SystemNamespace, "mcpauth-main", IssuerPort, 80)
	if err != nil {
		return nil, err
	}
	stopServer, err := s.Kubectl.Forward(ctx, AppNamespace, "todo", ServerPort, 80)
	if err != nil {
		stopIssuer()
		return nil, err
	}
	return func() { stopServer(); stopIssuer() }, nil
}

// Strike removes the samples, what the operator made, and the operator.
func (s *Stage) Strike(ctx context.Context) error {
	for _, folder := range []string{"config/samples", "config/default"} {
		if _, err := s.Kubectl.Run(ctx, "delete", "--ignore-not-found", "--timeout="+waitTimeout, "-k", filepath.Join(s.Root, folder)); err != nil {
			return err
		}
		s.say("✓ deleted what %s describes\n", folder)
	}
	return nil
}

// explain adds what a person would look at next: conditions, pods, events, logs.
func (s *Stage) explain(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var found error
	for _, args := range [][]string{
		{"get", "mcpauth", "-A", "-o", "custom-columns=KIND:.kind,NAME:.metadata.name,CONDITIONS:.status.conditions[?(@.status!=\"True\")].message"},
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp", "--field-selector=type=Warning"},
		{"-n", SystemNamespace, "logs", "deployment/mcpauth-operator", "--tail=40"},
		{"-n", SystemNamespace, "logs", "deployment/mcpauth-main", "--tail=20"},
		{"-n", AppNamespace, "logs", "deployment/todo", "--all-containers", "--tail=20"},
	} {
		output, err := s.Kubectl.Run(ctx, args...)
		if err != nil {
			output = err.Error()
		}
		found = errors.Join(found, fmt.Errorf("\n$ kubectl %v\n%s", args, output))
	}
	return found
}
