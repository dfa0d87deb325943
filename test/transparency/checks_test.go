package transparency_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// run is what the suite found.
type run struct {
	// passed and failed are what it counts itself.
	passed, failed int
	checks         map[check]finding
}

// check is one that the suite made. An id may come more than once in a scenario.
type check struct {
	scenario, id string
	occurrence   int
}

func (c check) String() string { return fmt.Sprintf("%s: %s (%d)", c.scenario, c.id, c.occurrence) }

type finding struct{ status, name, message string }

func (f finding) String() string {
	switch {
	case f.status == "":
		return "not made"
	case f.message == "":
		return f.status
	default:
		return f.status + ", " + f.message
	}
}

// exception is a check that ends in another way through the sidecar.
type exception struct {
	check
	straight, through string
}

// stamp is what the suite adds to the name of a scenario's folder.
var stamp = regexp.MustCompile(`-\d{4}-\d{2}-\d{2}T[0-9-]+Z$`)

func readChecks(t *testing.T, results string) map[check]finding {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(results, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	checks := make(map[check]finding)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var made []struct{ ID, Name, Status, ErrorMessage string }
		if err := json.Unmarshal(data, &made); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		scenario := stamp.ReplaceAllString(filepath.Base(filepath.Dir(file)), "")
		for _, m := range made {
			c := check{scenario: scenario, id: m.ID, occurrence: 1}
			for checks[c].status != "" {
				c.occurrence++
			}
			checks[c] = finding{m.Status, m.Name, m.ErrorMessage}
		}
	}
	return checks
}

// require fails the test if too little ran.
func (r run) require(t *testing.T, want least) {
	t.Helper()
	var got least
	for _, f := range r.checks {
		got.checks++
		if f.status == "SUCCESS" {
			got.succeeded++
		}
	}
	t.Logf("%d checks, %d with success; the suite counts %d passed, %d failed", got.checks, got.succeeded, r.passed, r.failed)
	if got.checks < want.checks || got.succeeded < want.succeeded || r.passed < want.succeeded {
		t.Errorf("want at least %d checks, %d with success", want.checks, want.succeeded)
	}
}

// except is the run as it has to be through the sidecar: the same but for the
// exceptions, which have to be ones.
func (r run) except(t *testing.T, exceptions []exception) run {
	t.Helper()
	r.checks = maps.Clone(r.checks)
	for _, e := range exceptions {
		found := r.checks[e.check]
		if found.status != e.straight {
			t.Errorf("%s: straight %s, where the exception says %s", e.check, found, e.straight)
		}
		found.status = e.through
		r.checks[e.check] = found
		if e.through == "SUCCESS" {
			r.passed, r.failed = r.passed+1, r.failed-1
		} else {
			r.passed, r.failed = r.passed-1, r.failed+1
		}
	}
	return r
}

// compare fails the test for every check that ended in another way.
func (r run) compare(t *testing.T, through run) {
	t.Helper()
	if r.passed != through.passed || r.failed != through.failed {
		t.Errorf("through the sidecar %d passed and %d failed, want %d and %d", through.passed, through.failed, r.passed, r.failed)
	}
	for _, difference := range r.differences(through) {
		t.Error(difference)
	}
}

func (r run) differences(through run) []string {
	every := maps.Clone(r.checks)
	maps.Copy(every, through.checks)
	var differences []string
	for _, c := range slices.SortedFunc(maps.Keys(every), compareChecks) {
		straight, got := r.checks[c], through.checks[c]
		if straight.status != got.status || straight.name != got.name {
			differences = append(differences, fmt.Sprintf("%s, %s\n\twant as straight:    %s\n\tthrough the sidecar: %s",
				c, every[c].name, straight, got))
		}
	}
	return differences
}

func compareChecks(a, b check) int {
	return cmp.Or(cmp.Compare(a.scenario, b.scenario), cmp.Compare(a.id, b.id), cmp.Compare(a.occurrence, b.occurrence))
}

func TestADifferenceBetweenTwoRunsIsNamed(t *testing.T) {
	first, second := check{"tools-list", "listed", 1}, check{"tools-list", "listed", 2}
	straight := run{checks: map[check]finding{first: {status: "SUCCESS"}, second: {status: "SUCCESS"}}}
	tests := []struct {
		name    string
		through map[check]finding
		want    int
	}{
		{"none", map[check]finding{first: {status: "SUCCESS"}, second: {status: "SUCCESS"}}, 0},
		{"another message alone", map[check]finding{first: {status: "SUCCESS", message: "port 2"}, second: {status: "SUCCESS"}}, 0},
		{"another status", map[check]finding{first: {status: "SUCCESS"}, second: {status: "WARNING"}}, 1},
		{"a check that was not made", map[check]finding{first: {status: "SUCCESS"}}, 1},
		{"one more check", map[check]finding{first: {status: "SUCCESS"}, second: {status: "SUCCESS"}, {"ping", "ping", 1}: {status: "FAILURE"}}, 1},
		{"nothing at all", nil, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := straight.differences(run{checks: test.through})
			if len(got) != test.want {
				t.Errorf("got %d differences, want %d: %q", len(got), test.want, got)
			}
		})
	}
}
