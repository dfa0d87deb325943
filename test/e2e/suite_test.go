package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/mcpauth/mcpauth/test/stage"
)

const (
	mcpURL   = "http://127.0.0.1:9401/mcp"
	username = "alice"
	password = "wonderland"

	// patience is how long the cluster may take for anything that is not said to be
	// quick; polling is how often a test looks.
	patience = 2 * time.Minute
	polling  = 500 * time.Millisecond
	// quiet is how long nothing may be written before a controller counts as still.
	quiet = 20 * time.Second
)

// play is the stage that all tests share, set up once.
var play *stage.Stage

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func(ctx context.Context) {
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(polling)
	root, err := repository()
	Expect(err).NotTo(HaveOccurred())
	play = &stage.Stage{
		Kubectl: stage.Kubectl{Context: os.Getenv("MCPAUTH_E2E_CONTEXT")},
		Root:    root,
		Out:     GinkgoWriter,
	}
	Expect(play.Set(ctx)).To(Succeed())
	// The forwards outlive this node, so they do not hang on its context.
	stop, err := play.Reach(context.Background())
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(stop)
}, NodeTimeout(15*time.Minute))

var _ = AfterSuite(func(ctx context.Context) {
	if play != nil {
		Expect(play.Strike(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

// repository finds the folder of go.mod above the working directory, since the
// compiled tests may be started from anywhere below it.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", os.ErrNotExist
		}
		dir = parent
	}
}

// kubectl runs kubectl and fails the test where it fails.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := play.Kubectl.Run(ctx, args...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

// apply applies a manifest.
func apply(ctx context.Context, manifest string) {
	GinkgoHelper()
	_, err := play.Kubectl.Apply(ctx, manifest, "apply", "--server-side", "--force-conflicts", "-f", "-")
	Expect(err).NotTo(HaveOccurred())
}
