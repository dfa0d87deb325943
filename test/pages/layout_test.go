package pages_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "a folder for pictures of all pages")

// outside names what is wider than the window, or sticks out of it.
const outside = `(() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push('the page is ' + document.documentElement.scrollWidth + ' wide');
  for (const e of document.body.querySelectorAll('*')) {
    const r = e.getBoundingClientRect();
    if (!e.closest('.unseen') && r.width > 0 && (r.left < -0.5 || r.right > width + 0.5)) found.push(e.tagName + ' ' + e.className + ' at ' + r.left + ' to ' + r.right);
  }
  return found;
})()`

func TestNoPageIsWiderThanTheNarrowestPhone(t *testing.T) {
	s, b := newSite(t), open(t)
	for _, width := range []int64{320, 375} {
		b.look("light", width)
		for _, state := range states() {
			t.Run(state.name, func(t *testing.T) {
				b := b.on(t)
				b.do(chromedp.Navigate(s.URL + state.path()))
				for _, what := range ask[[]string](b, outside) {
					t.Errorf("at %d px: %s", width, what)
				}
			})
		}
	}
}

func TestThePolicyLetsStyleAndLogoThroughAndNothingIsRefused(t *testing.T) {
	s, b := newSite(t), open(t)
	refused := make(chan string, 100)
	err := chromedp.Listen(b.ctx, func(event any) {
		if added, ok := event.(*log.EventEntryAdded); ok && added.Entry.Source == log.EntrySourceSecurity {
			refused <- added.Entry.Text
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states() {
		b.do(chromedp.Navigate(s.URL + state.path()))
		if got := ask[string](b, `getComputedStyle(document.querySelector('.card')).borderStyle`); got != "solid" {
			t.Errorf("%s has no style: the border is %q", state.name, got)
		}
		if !ask[bool](b, `[...document.images].every((i) => i.complete && i.naturalWidth > 0)`) {
			t.Errorf("%s: the logo is not shown", state.name)
		}
	}
	for len(refused) > 0 {
		t.Errorf("the browser says: %s", <-refused)
	}
}

func TestDarkAndLightAreDifferentGrounds(t *testing.T) {
	s, b := newSite(t), open(t)
	var grounds []string
	for _, scheme := range schemes() {
		b.look(scheme, 1280)
		b.do(chromedp.Navigate(s.URL + states()[0].path()))
		grounds = append(grounds, ask[string](b, `getComputedStyle(document.body).backgroundColor`))
	}
	if len(slices.Compact(grounds)) != 2 {
		t.Errorf("both are %s", grounds[0])
	}
}

func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("-screenshots names no folder")
	}
	s, b := newSite(t), open(t)
	for _, scheme := range schemes() {
		for name, width := range map[string]int64{"phone": 375, "desk": 1280} {
			b.look(scheme, width)
			for _, state := range states() {
				b.do(chromedp.Navigate(s.URL + state.path()))
				picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				file := strings.Join([]string{filepath.Base(state.path()), name, scheme}, "-") + ".png"
				if err := os.WriteFile(filepath.Join(*screenshots, file), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
