package pages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/mcpauth/mcpauth/test/clients/clientstest"
)

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID, Impact, Help string
	// Targets are selectors of what breaks it.
	Targets []string
}

func (v violation) String() string {
	return fmt.Sprintf("%s: %s (%s): %s", v.Impact, v.ID, v.Help, strings.Join(v.Targets, "; "))
}

// runAxe is worth the violations of a page into which axe-core was loaded.
const runAxe = `axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) => ({
  ID: v.id, Impact: v.impact, Help: v.help, Targets: v.nodes.map((n) => n.target.join(' ')),
})))`

// axe is the source of axe-core. It skips on machines where npm is neither
// present nor installable.
func axe(t *testing.T) string {
	t.Helper()
	node := clientstest.Install(t)
	source, err := os.ReadFile(filepath.Join(packages(t, node.Dir), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// packages is where Node finds the packages of a script in dir: in the nearest
// folder above that has some.
func packages(t *testing.T, dir string) string {
	t.Helper()
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "node_modules")
		if _, err := os.Stat(found); err == nil {
			return found
		}
	}
	t.Fatal("the npm packages are nowhere")
	return ""
}

// violations are what axe-core finds on the page. Both run beside the page's
// Content-Security-Policy, which is for scripts of the page.
func (b *tab) violations(source string) []violation {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](source))
	return ask[[]violation](b, runAxe)
}

func TestAxeFindsNothingThatKeepsPeopleOut(t *testing.T) {
	source, s, b := axe(t), newSite(t), open(t)
	for _, scheme := range schemes() {
		for _, width := range []int64{375, 1280} {
			b.look(scheme, width)
			for _, state := range states() {
				t.Run(fmt.Sprintf("%s %d %s", scheme, width, state.name), func(t *testing.T) {
					b := b.on(t)
					b.do(chromedp.Navigate(s.URL + state.path()))
					for _, v := range b.violations(source) {
						t.Error(v)
					}
				})
			}
		}
	}
}

func TestAxeFindsWhatIsWrong(t *testing.T) {
	source, s, b := axe(t), newSite(t), open(t)
	b.look("light", 1280)
	tests := []struct{ name, harm, rule string }{
		{"an input without its label", `document.querySelector('label').remove()`, "label"},
		{"pale text", `document.querySelector('.lead').style.color = '#bbb'`, "color-contrast"},
		{"a page without a language", `document.documentElement.removeAttribute('lang')`, "html-has-lang"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := b.on(t)
			b.do(chromedp.Navigate(s.URL+named(t, "sign-in for an app").path()), chromedp.Evaluate[chromedp.Void](tt.harm))
			found := b.violations(source)
			if len(found) != 1 || found[0].ID != tt.rule {
				t.Errorf("got %v, want %s", found, tt.rule)
			}
		})
	}
}
