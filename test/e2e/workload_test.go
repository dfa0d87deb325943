package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

var _ = Describe("A workload", func() {
	It("redeems its own ServiceAccount token where a client names it, and nobody else's", func(ctx context.Context) {
		kubectl(ctx, "-n", "mcpauth-system", "patch", "authorizationserver", "main", "--type=merge",
			"-p", `{"spec":{"trustedIssuers":[{"name":"cluster","type":"Workload","cluster":true}]}}`)
		apply(ctx, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reporter, namespace: apps}
---
apiVersion: mcpauth.dev/v1alpha1
kind: OAuthClient
metadata: {name: reporter, namespace: apps}
spec:
  clientID: reporter
  serverRefs: [{name: todo}]
  grantTypes: ["`+jwtBearer+`"]
  tokenEndpointAuthMethod: none
  serviceAccounts: [{name: reporter}]
`)
		DeferCleanup(func(ctx context.Context) {
			kubectl(ctx, "-n", "apps", "delete", "oauthclient/reporter", "serviceaccount/reporter", "--ignore-not-found")
			kubectl(ctx, "-n", "mcpauth-system", "patch", "authorizationserver", "main", "--type=json", "-p", `[{"op":"remove","path":"/spec/trustedIssuers"}]`)
		}, NodeTimeout(2*time.Minute))
		Eventually(func(ctx context.Context) string {
			return kubectl(ctx, "-n", "apps", "get", "oauthclient", "reporter", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		}).WithContext(ctx).Should(Equal("True"))

		const issuer = "http://127.0.0.1:9400/resources/apps-todo"
		redeem := func(ctx context.Context, account, audience string) (int, map[string]any) {
			token := strings.TrimSpace(kubectl(ctx, "-n", "apps", "create", "token", account, "--audience", audience))
			return postForm(ctx, issuer+"/oauth/token", url.Values{
				"grant_type": {jwtBearer}, "client_id": {"reporter"}, "assertion": {token}, "scope": {"todo:read"},
			})
		}
		var answer map[string]any
		Eventually(func(ctx context.Context) int {
			status, got := redeem(ctx, "reporter", issuer)
			answer = got
			return status
		}).WithContext(ctx).Should(Equal(http.StatusOK), func() string { return fmt.Sprint(answer["error"], ": ", answer["error_description"]) })
		token, _ := answer["access_token"].(string)
		response, body := call(ctx, token, "list_tasks")
		Expect(response.StatusCode).To(Equal(http.StatusOK), body)

		status, refused := redeem(ctx, "default", issuer)
		Expect(status).To(Equal(http.StatusBadRequest))
		Expect(refused).To(HaveKeyWithValue("error", "invalid_grant"))
		status, refused = redeem(ctx, "reporter", "https://kubernetes.default.svc")
		Expect(status).To(Equal(http.StatusBadRequest))
		Expect(refused).To(HaveKeyWithValue("error", "invalid_grant"))
	}, NodeTimeout(5*time.Minute))
})
