package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/journey"
)

var _ = Describe("A real MCP client", func() {
	It("discovers, registers, signs in, consents, calls, is refused, steps up, refreshes and revokes, with the Go SDK", func(ctx context.Context) {
		Expect(journey.Run(ctx, journey.Options{
			MCPURL: mcpURL, Username: username, Password: password, StepUp: journey.StepUpRequired, Out: GinkgoWriter,
		})).To(Succeed())
	}, NodeTimeout(5*time.Minute))

	DescribeTable("connects with a TypeScript SDK as npm ships it",
		func(ctx context.Context, script string) {
			node, err := clients.Install(ctx, "")
			Expect(err).NotTo(HaveOccurred())
			steps, err := node.Run(ctx, script, "--url", mcpURL, "--username", username, "--password", password)
			for _, step := range steps {
				GinkgoWriter.Printf("%+v\n", step)
			}
			Expect(err).NotTo(HaveOccurred())
		},
		Entry("@modelcontextprotocol/sdk", clients.SDKv1, NodeTimeout(5*time.Minute)),
		Entry("@modelcontextprotocol/client", clients.ClientV2, NodeTimeout(5*time.Minute)),
	)

	It("is refused when the password is wrong, and gets no token", func(ctx context.Context) {
		err := journey.Run(ctx, journey.Options{MCPURL: mcpURL, Username: username, Password: "looking-glass", Out: GinkgoWriter})
		Expect(err).To(MatchError(journey.ErrSignInRefused))
	}, NodeTimeout(2*time.Minute))
})
