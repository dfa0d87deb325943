package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/mcpauth/mcpauth/oauth/keyring"
)

var _ = Describe("A protected server", func() {
	It("says that it is protected, and by which issuer", func(ctx context.Context) {
		Expect(kubectl(ctx, "-n", "apps", "get", "mcpserver", "todo", "-o",
			`jsonpath={.status.conditions[?(@.type=="Protected")].status} {.status.issuer} {.status.pods.total}/{.status.pods.protected}`)).
			To(Equal("True http://127.0.0.1:9400/resources/apps-todo 1/1"))
	}, NodeTimeout(time.Minute))

	It("answers a call without a token with where to go, and nothing else", func(ctx context.Context) {
		response, _ := call(ctx, "", "list_tasks")
		Expect(response.StatusCode).To(Equal(http.StatusUnauthorized))
		challenge := response.Header.Get("WWW-Authenticate")
		Expect(challenge).To(HavePrefix("Bearer "))
		Expect(challenge).To(ContainSubstring(`resource_metadata="http://127.0.0.1:9401/.well-known/oauth-protected-resource/mcp"`))
		Expect(challenge).To(ContainSubstring(`scope="todo:read"`))
		Expect(challenge).NotTo(ContainSubstring("error="))
	}, NodeTimeout(time.Minute))

	It("keeps validating while the authorization server is down", func(ctx context.Context) {
		token := clientToken(ctx, "todo:read")
		kubectl(ctx, "-n", "mcpauth-system", "scale", "deployment", "mcpauth-operator", "--replicas=0")
		DeferCleanup(func(ctx context.Context) {
			kubectl(ctx, "-n", "mcpauth-system", "scale", "deployment", "mcpauth-operator", "--replicas=1")
			kubectl(ctx, "-n", "mcpauth-system", "scale", "deployment", "mcpauth-main", "--replicas=1")
			settle(ctx)
		}, NodeTimeout(5*time.Minute))
		pods := func(ctx context.Context) string {
			return kubectl(ctx, "-n", "mcpauth-system", "get", "pods", "-o", "name")
		}
		// As long as it runs, the operator puts the other back.
		Eventually(pods).WithContext(ctx).ShouldNot(ContainSubstring("mcpauth-operator"))
		kubectl(ctx, "-n", "mcpauth-system", "scale", "deployment", "mcpauth-main", "--replicas=0")
		Eventually(pods).WithContext(ctx).Should(BeEmpty())

		response, body := call(ctx, token, "list_tasks")
		Expect(response.StatusCode).To(Equal(http.StatusOK), body)

		By("not starting a pod unprotected while the webhook is away")
		kubectl(ctx, "-n", "apps", "delete", "pod", "-l", "app=todo", "--wait=true")
		Consistently(func(ctx context.Context) string {
			return kubectl(ctx, "-n", "apps", "get", "pods", "-l", "app=todo", "-o", "name")
		}, 5*time.Second, time.Second).WithContext(ctx).Should(BeEmpty())
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("An agent without a browser", func() {
	It("finds its credentials in the Secret and calls with what its scope opens", func(ctx context.Context) {
		token := clientToken(ctx, "todo:read")
		response, body := call(ctx, token, "list_tasks")
		Expect(response.StatusCode).To(Equal(http.StatusOK), body)

		response, _ = call(ctx, token, "create_task")
		Expect(response.StatusCode).To(Equal(http.StatusForbidden))
		Expect(response.Header.Get("WWW-Authenticate")).To(ContainSubstring(`error="insufficient_scope"`))
		Expect(response.Header.Get("WWW-Authenticate")).To(ContainSubstring(`scope="todo:write"`))
	}, NodeTimeout(time.Minute))

	It("is not granted a scope that is for a group of people", func(ctx context.Context) {
		status, answer := requestToken(ctx, "todo:write")
		Expect(status).To(Equal(http.StatusBadRequest))
		Expect(answer).To(HaveKeyWithValue("error", "invalid_scope"))
	}, NodeTimeout(time.Minute))
})

var _ = Describe("A change of a Scope", func() {
	It("is enforced without a restart", func(ctx context.Context) {
		token := clientToken(ctx, "todo:read")
		pod := kubectl(ctx, "-n", "apps", "get", "pods", "-l", "app=todo", "-o", "name")
		create := func(ctx context.Context) int {
			response, _ := call(ctx, token, "create_task")
			return response.StatusCode
		}
		patch(ctx, `{"spec":{"tools":["list_*","get_*","create_*"]}}`)
		Eventually(create).WithContext(ctx).Should(Equal(http.StatusOK))
		patch(ctx, `{"spec":{"tools":["list_*","get_*"]}}`)
		Eventually(create).WithContext(ctx).Should(Equal(http.StatusForbidden))
		Expect(kubectl(ctx, "-n", "apps", "get", "pods", "-l", "app=todo", "-o", "name")).To(Equal(pod))
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A change of the key Secret", func() {
	It("has the server sign with the new key, and sidecars accept it, without a restart", func(ctx context.Context) {
		pods := func(ctx context.Context) string { return kubectl(ctx, "get", "pods", "-A", "-o", "name") }
		before := pods(ctx)
		ring, err := keyring.New(keyring.RS256, time.Now())
		Expect(err).NotTo(HaveOccurred())
		encoded, err := ring.Encode()
		Expect(err).NotTo(HaveOccurred())
		body, err := json.Marshal(map[string]any{"data": map[string][]byte{keyring.SecretKey: encoded}})
		Expect(err).NotTo(HaveOccurred())
		kubectl(ctx, "-n", "mcpauth-system", "patch", "secret", "mcpauth-main-keys", "--type=merge", "-p", string(body))

		Eventually(func(ctx context.Context) string { return keyOf(clientToken(ctx, "todo:read")) }).
			WithContext(ctx).Should(Equal(ring.Active().KeyID()))
		response, answer := call(ctx, clientToken(ctx, "todo:read"), "list_tasks")
		Expect(response.StatusCode).To(Equal(http.StatusOK), answer)
		Eventually(func(ctx context.Context) string {
			return kubectl(ctx, "-n", "mcpauth-system", "get", "authorizationserver", "main", "-o", "jsonpath={.status.keys[*].id}")
		}).WithContext(ctx).Should(Equal(ring.Active().KeyID()))
		Expect(pods(ctx)).To(Equal(before))
	}, NodeTimeout(3*time.Minute))
})

// keyOf is the "kid" of a token.
func keyOf(token string) string {
	GinkgoHelper()
	head, _, _ := strings.Cut(token, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(head)
	Expect(err).NotTo(HaveOccurred())
	var header struct {
		KeyID string `json:"kid"`
	}
	Expect(json.Unmarshal(decoded, &header)).To(Succeed())
	return header.KeyID
}

var _ = Describe("The operator", func() {
	It("writes nothing once everything is as wished", func(ctx context.Context) {
		versions := func(ctx context.Context) string {
			return kubectl(ctx, "get", "mcpauth,secrets,configmaps,deployments", "-A", "-o",
				`jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}`)
		}
		// A test before may have left pods that are still becoming ready.
		Eventually(func(g Gomega, ctx context.Context) {
			before := versions(ctx)
			g.Consistently(versions, quiet, time.Second).WithContext(ctx).Should(Equal(before))
		}).WithContext(ctx).Should(Succeed())
	}, NodeTimeout(5*time.Minute))

	It("says what is wrong with an object and what to do, and leaves the others alone", func(ctx context.Context) {
		apply(ctx, `
apiVersion: mcpauth.dev/v1alpha1
kind: MCPServer
metadata: {name: copycat, namespace: apps}
spec:
  authorizationServerRef: {name: main, namespace: mcpauth-system}
  url: "http://127.0.0.1:9401/mcp"
`)
		DeferCleanup(func(ctx context.Context) {
			kubectl(ctx, "-n", "apps", "delete", "mcpserver", "copycat", "--ignore-not-found")
		}, NodeTimeout(time.Minute))
		Eventually(func(ctx context.Context) string {
			return kubectl(ctx, "-n", "apps", "get", "mcpserver", "copycat", "-o", `jsonpath={range .status.conditions[?(@.type=="Accepted")]}{.reason}: {.message}{end}`)
		}).WithContext(ctx).Should(And(HavePrefix("Conflict: "), ContainSubstring("MCPServer apps/todo, which is older"), ContainSubstring("choose another")))
		Expect(kubectl(ctx, "-n", "apps", "get", "mcpserver", "todo", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)).To(Equal("True"))
	}, NodeTimeout(3*time.Minute))
})

// settle waits until everything runs again and is reached from here. Status may
// still tell of before, so it is not asked alone.
func settle(ctx context.Context) {
	GinkgoHelper()
	for _, workload := range [][2]string{{"mcpauth-system", "mcpauth-operator"}, {"mcpauth-system", "mcpauth-main"}, {"apps", "todo"}} {
		kubectl(ctx, "-n", workload[0], "rollout", "status", "deployment/"+workload[1], "--timeout=180s")
	}
	Expect(play.WaitReady(ctx)).To(Succeed())
	for _, address := range []string{
		"http://127.0.0.1:9400/.well-known/oauth-authorization-server",
		"http://127.0.0.1:9401/.well-known/oauth-protected-resource/mcp",
	} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() int { response, _ := do(request); return response.StatusCode }).WithContext(ctx).Should(Equal(http.StatusOK), address)
	}
}

func patch(ctx context.Context, body string) {
	GinkgoHelper()
	kubectl(ctx, "-n", "apps", "patch", "scope", "todo-read", "--type=merge", "-p", body)
}

// credentials reads what the operator delivered to the sample's agent.
func credentials(ctx context.Context) map[string]string {
	GinkgoHelper()
	var encoded map[string]string
	Expect(json.Unmarshal([]byte(kubectl(ctx, "-n", "apps", "get", "secret", "agent-oauth", "-o", "jsonpath={.data}")), &encoded)).To(Succeed())
	values := make(map[string]string, len(encoded))
	for key, value := range encoded {
		decoded, err := base64.StdEncoding.DecodeString(value)
		Expect(err).NotTo(HaveOccurred())
		values[key] = string(decoded)
	}
	return values
}

// requestToken asks for a token of the agent's own.
func requestToken(ctx context.Context, scope string) (int, map[string]any) {
	GinkgoHelper()
	secret := credentials(ctx)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "resource": {mcpURL}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, secret["token_endpoint"], strings.NewReader(form.Encode()))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(secret["client_id"], secret["client_secret"])
	return answerOf(request)
}

// postForm sends a form and reads the JSON that answers it.
func postForm(ctx context.Context, target string, form url.Values) (int, map[string]any) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return answerOf(request)
}

func answerOf(request *http.Request) (int, map[string]any) {
	GinkgoHelper()
	response, body := do(request)
	var answer map[string]any
	Expect(json.Unmarshal([]byte(body), &answer)).To(Succeed(), body)
	return response.StatusCode, answer
}

func clientToken(ctx context.Context, scope string) string {
	GinkgoHelper()
	var token string
	// The server may have been restarted a moment ago by another test.
	Eventually(func(g Gomega, ctx context.Context) {
		status, answer := requestToken(ctx, scope)
		g.Expect(status).To(Equal(http.StatusOK), fmt.Sprint(answer["error"], answer["error_description"]))
		token, _ = answer["access_token"].(string)
		g.Expect(token).NotTo(BeEmpty())
	}).WithContext(ctx).Should(Succeed())
	return token
}

// call calls a tool of the todo server as a client of the current revision does.
func call(ctx context.Context, token, tool string) (*http.Response, string) {
	GinkgoHelper()
	arguments := map[string]any{}
	if tool == "create_task" {
		arguments["title"] = "written by a test"
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "tools/call",
		"params": map[string]any{
			"name": tool, "arguments": arguments,
			"_meta": map[string]any{
				"io.modelcontextprotocol/protocolVersion":    "2026-07-28",
				"io.modelcontextprotocol/clientInfo":         map[string]any{"name": "e2e", "version": "1"},
				"io.modelcontextprotocol/clientCapabilities": map[string]any{},
			},
		},
	})
	Expect(err).NotTo(HaveOccurred())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, mcpURL, strings.NewReader(string(body)))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Protocol-Version", "2026-07-28")
	request.Header.Set("Mcp-Method", "tools/call")
	request.Header.Set("Mcp-Name", tool)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(request)
}

// do sends a request, again while the port is not connected: a pod behind it may
// just be starting.
func do(request *http.Request) (*http.Response, string) {
	GinkgoHelper()
	var response *http.Response
	var body []byte
	Eventually(func() error {
		again := request.Clone(request.Context())
		if request.GetBody != nil {
			again.Body, _ = request.GetBody()
		}
		var err error
		if response, err = http.DefaultClient.Do(again); err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		body, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return err
	}).WithContext(request.Context()).Should(Succeed())
	return response, string(body)
}
