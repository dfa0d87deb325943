package pages_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// newClient is where a client is told the outcome, and what reaches it.
func newClient(t *testing.T) (url string, arrived <-chan string) {
	t.Helper()
	requests := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			requests <- "arrived"
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>the client</title>"))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/callback", requests
}

// A policy that is too strict strands people between two pages; this is what
// Chromium, the strictest of browsers here, makes of ours.
func TestAFormLeadsOnToAnotherOriginWhereItsJourneyDoes(t *testing.T) {
	tests := []struct {
		state string
		tabs  int
		keys  string
		leads bool
	}{
		{"consent for a declared app", 2, kb.Enter, true},
		{"consent refused", 2, kb.Enter, true},
		{"sign-in again", 0, "secret" + kb.Enter, true},
		{"sign-in upstream", 1, kb.Enter, true},
		{"sign-in for connected apps", 0, "alice\tsecret" + kb.Enter, false},
		{"connected apps listed", 1, kb.Enter, false},
	}
	first := open(t)
	for _, tt := range tests {
		t.Run(tt.state, func(t *testing.T) {
			s, b := newSite(t), first.another(t)
			elsewhere, arrived := newClient(t)
			s.elsewhere = elsewhere
			refused := make(chan string, 10)
			err := chromedp.Listen(b.ctx, func(event any) {
				added, ok := event.(*log.EventEntryAdded)
				if ok && strings.Contains(added.Entry.Text, "form-action") {
					refused <- added.Entry.Text
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			b.visit(s.URL + named(t, tt.state).path())
			b.do(tabs(tt.tabs), chromedp.KeyEvent(tt.keys))
			select {
			case <-arrived:
				if !tt.leads {
					t.Error("the form left our pages")
				}
			case why := <-refused:
				if tt.leads {
					t.Error(why)
				}
			case <-time.After(20 * time.Second):
				t.Error("the form led nowhere")
			}
		})
	}
}
