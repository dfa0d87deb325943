package accesstoken

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/oauth"
)

const guide = "../../docs/go-sdk.md"

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheProgramOfTheGuideBuilds(t *testing.T) {
	_, rest, found := strings.Cut(readGuide(t), "```go\npackage main\n")
	program, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s has no program", guide)
	}
	main := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(main, []byte("package main\n"+program), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "gofmt", "-l", main).CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("gofmt would write it in another way: %s %v", output, err)
	}
	if output, err := exec.CommandContext(t.Context(), "go", "vet", main).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestTheGuideListsWhatClientsAreTold(t *testing.T) {
	text := readGuide(t)
	row := func(status int, code oauth.ErrorCode, says string) string {
		quoted := " "
		if code != "" {
			quoted = " `" + string(code) + "` "
		}
		return "\n| " + strconv.Itoa(status) + " |" + quoted + "| " + says + " |\n"
	}
	insufficient := (&Guard{Verifier: &Verifier{}}).Insufficient(oauth.NewScopeSet("a"))
	rows := []string{row(insufficient.Status, insufficient.Code, insufficient.Description)}
	for _, told := range grounds[nothing+1:] {
		rows = append(rows, row(told.status, told.code, told.says))
	}
	for _, r := range rows {
		if !strings.Contains(text, r) {
			t.Errorf("it does not have%s", r)
		}
	}
	listed := 0
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
		listed += strings.Count(text, "\n| "+strconv.Itoa(status)+" |")
	}
	if listed != len(rows) {
		t.Errorf("it lists %d answers; there are %d", listed, len(rows))
	}
}
