// Package report holds what a benchmark has found, as a table for the terminal and
// for a document that keeps it between two markers.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Row is one figure.
type Row struct {
	Figure string
	// Measured is what was found, in its unit, and Beside what it is held against;
	// empty where there is nothing.
	Measured, Beside string
	// Ratio and Bound are in words, empty where there is none.
	Ratio, Bound string
	// Verdict is OK or Missed where there is a bound.
	Verdict Verdict
}

// Verdict says whether a bound holds.
type Verdict string

// The verdicts.
const (
	OK     Verdict = "ok"
	Missed Verdict = "missed"
)

// Held is the verdict on a bound that holds or does not.
func Held(holds bool) Verdict {
	if holds {
		return OK
	}
	return Missed
}

// Report is what a run has found. The zero value is empty.
type Report struct {
	// Facts are the circumstances, each a sentence or a list of words.
	Facts []string
	Rows  []Row
	// Notes explain figures, each a sentence.
	Notes []string
	// Profiles show where the time went, each a title and preformatted text.
	Profiles []Profile
}

// Profile is what a profiler has listed.
type Profile struct{ Title, Text string }

// columns are the heads of the table.
var columns = []string{"figure", "measured", "beside", "ratio", "bound", ""}

func (r Row) cells() []string {
	return []string{r.Figure, r.Measured, r.Beside, r.Ratio, r.Bound, string(r.Verdict)}
}

// Markdown is the report for a document.
func (r *Report) Markdown() string {
	var b strings.Builder
	for _, fact := range r.Facts {
		fmt.Fprintf(&b, "- %s\n", fact)
	}
	fmt.Fprintf(&b, "\n%s", line(columns))
	b.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, row := range r.Rows {
		b.WriteString(line(row.cells()))
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	for _, p := range r.Profiles {
		fmt.Fprintf(&b, "\n%s:\n\n```\n%s\n```\n", p.Title, strings.TrimRight(p.Text, "\n"))
	}
	return b.String()
}

func line(cells []string) string {
	escaped := make([]string, len(cells))
	for i, cell := range cells {
		escaped[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return "| " + strings.Join(escaped, " | ") + " |\n"
}

// Print writes a row as it becomes known.
func (r Row) Print(w io.Writer) {
	text := fmt.Sprintf("%-44s %s", r.Figure, r.Measured)
	if r.Beside != "" {
		text += "; beside it " + r.Beside
	}
	if r.Ratio != "" {
		text += "; ratio " + r.Ratio
	}
	if r.Bound != "" {
		text += fmt.Sprintf(" (bound %s: %s)", r.Bound, r.Verdict)
	}
	_, _ = fmt.Fprintln(w, text) // a terminal that went away
}

// ErrNoMarkers says that a document has no place for a report.
var ErrNoMarkers = errors.New("the document lacks the markers, or has them in the wrong order")

// Replace puts text between the markers "<!-- NAME:begin -->" and "<!-- NAME:end -->"
// of a file, in place of what is there.
func Replace(path, name, text string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- "+name+":begin -->\n"), []byte("<!-- "+name+":end -->\n")
	head, rest, opened := bytes.Cut(before, begin)
	_, tail, closed := bytes.Cut(rest, end)
	if !opened || !closed {
		return fmt.Errorf("%s: %w", path, ErrNoMarkers)
	}
	after := bytes.Join([][]byte{head, begin, []byte(text), end, tail}, nil)
	return os.WriteFile(path, after, 0o644)
}
