package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAReportIsATableWithItsCircumstances(t *testing.T) {
	r := Report{
		Facts: []string{"Machine: two cores"},
		Rows: []Row{
			{Figure: "tokens", Measured: "900 tokens/s", Beside: "1,000 signatures/s", Ratio: "0.90", Bound: "≥ 0.90", Verdict: Held(true)},
			{Figure: "a|b", Measured: "3"},
		},
		Notes:    []string{"The generator took 5 %."},
		Profiles: []Profile{{Title: "Tokens", Text: "50 % sign\n"}},
	}
	want := "- Machine: two cores\n" +
		"\n| figure | measured | beside | ratio | bound |  |\n|---|---|---|---|---|---|\n" +
		"| tokens | 900 tokens/s | 1,000 signatures/s | 0.90 | ≥ 0.90 | ok |\n" +
		"| a\\|b | 3 |  |  |  |  |\n" +
		"\n- The generator took 5 %.\n" +
		"\nTokens:\n\n```\n50 % sign\n```\n"
	if diff := cmp.Diff(want, r.Markdown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARowIsOneLine(t *testing.T) {
	var out bytes.Buffer
	Row{Figure: "tokens", Measured: "9", Beside: "10", Ratio: "0.90", Bound: "≥ 0.95", Verdict: Held(false)}.Print(&out)
	want := "tokens                                       9; beside it 10; ratio 0.90 (bound ≥ 0.95: missed)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsBetweenTheMarkersIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	const before, after = "# Head\n<!-- x:begin -->\nold\n<!-- x:end -->\ntail\n", "# Head\n<!-- x:begin -->\nnew\n<!-- x:end -->\ntail\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := Replace(path, "x", "new\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != after {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := Replace(path, "other", "new\n"); !errors.Is(err, ErrNoMarkers) {
		t.Errorf("error is %v", err)
	}
}

func TestNumbersReadWell(t *testing.T) {
	for want, got := range map[string]string{
		"0": Count(0), "999": Count(999), "1,000": Count(1000.4), "1,234,568": Count(1234567.8), "-1,000": Count(-1000), "-100": Count(-100),
		"12 µs": Time(12 * time.Microsecond), "1.23 ms": Time(1234 * time.Microsecond), "123 ms": Time(123 * time.Millisecond), "1.50 s": Time(1500 * time.Millisecond),
		"0.90": Ratio(0.899999), "12 %": Percent(0.123),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	if got := Median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("got %v", got)
	}
	if got := Median([]int{4, 1, 3, 2}); got != 3 {
		t.Errorf("got %v", got)
	}
	if got := Median([]int(nil)); got != 0 {
		t.Errorf("got %v", got)
	}
}
