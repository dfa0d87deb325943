package interop_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/clients/clientstest"
)

// The suite prints the authorization URL and waits for the answer on a port of
// its own; without a client id it would skip the code grant.
func TestTheOfficialConformanceSuitePasses(t *testing.T) {
	node := clientstest.Install(t)
	server := authservertest.New(t)
	want := map[string]string{
		"authorization-server-metadata":      "SUCCESS",
		"authorization-server-metadata-cimd": "SUCCESS",
		"authorization-code-grant":           "SUCCESS",
	}
	tests := []struct{ name, issuer string }{
		{"the issuer of a resource", server.ResourceIssuer()},
		{"the root issuer", server.Issuer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			port, results := strconv.Itoa(freeAddress(t).Port), t.TempDir()
			app := server.Register(t, map[string]any{
				"client_name": "conformance", "redirect_uris": []string{"http://127.0.0.1:" + port + "/callback"},
			})
			suite := start(t, []string{"HOME=" + results}, node.Command(clients.Conformance, "authorization", "--url", test.issuer,
				"--client-id", app.ID, "--resource", authservertest.ResourceURL, "--port", port, "--output-dir", results)...)
			page := suite.line(t, "an authorization URL", func(line string) bool {
				return strings.HasPrefix(line, server.Issuer) && strings.Contains(line, "code_challenge=")
			})
			// It prints the URL before it can take the answer.
			suite.line(t, "its callback server", func(line string) bool { return strings.HasPrefix(line, "Callback server started") })
			signIn(t, page)
			if err := suite.wait(t); err != nil {
				t.Errorf("the suite failed: %v", err)
			}
			if diff := cmp.Diff(want, conformanceChecks(t, results)); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
		})
	}
}

// conformanceChecks reads the status of every check that the suite has made; its
// exit code knows neither warnings nor what was skipped.
func conformanceChecks(t *testing.T, results string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	statuses := make(map[string]string)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct{ ID, Status, ErrorMessage string }
		if err := json.Unmarshal(data, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, check := range checks {
			statuses[check.ID] = check.Status
			if check.ErrorMessage != "" {
				t.Logf("%s: %s", check.ID, check.ErrorMessage)
			}
		}
	}
	return statuses
}
