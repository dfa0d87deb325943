package pages_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/page"
)

// Where the site's forms and links go.
const (
	formPath = "/form"
	linkPath = "/link"
)

// site serves every state of every page below /state/, and gets the forms.
type site struct {
	URL string
	// forms are what was submitted.
	forms chan url.Values
	// elsewhere is an address on another origin that the answer to a form leads to,
	// as the answer to a decision leads to a client; empty for a page that says
	// "received".
	elsewhere string
}

func newSite(t *testing.T) *site {
	t.Helper()
	renderer, err := page.New()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{forms: make(chan url.Values, 10)}
	mux := http.NewServeMux()
	for _, state := range states() {
		mux.HandleFunc("GET "+state.path(), func(w http.ResponseWriter, _ *http.Request) {
			if err := state.write(renderer, w); err != nil {
				t.Errorf("%s: %v", state.name, err)
			}
		})
	}
	mux.HandleFunc("POST "+formPath, s.receive)
	mux.HandleFunc("GET /script", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>no script ran</title><script>document.title='a script ran'</script>"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *site) receive(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.forms <- r.PostForm
	if s.elsewhere != "" {
		http.Redirect(w, r, s.elsewhere, http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><title>received</title>"))
}

// form waits for what the browser submits.
func (s *site) form(ctx context.Context, t *testing.T) url.Values {
	t.Helper()
	select {
	case form := <-s.forms:
		return form
	case <-time.After(20 * time.Second):
		t.Fatal("no form was submitted")
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	return nil
}

// state is a page as somebody may see it.
type state struct {
	name  string
	write func(*page.Renderer, http.ResponseWriter) error
}

func (s state) path() string { return "/state/" + strings.ReplaceAll(s.name, " ", "-") }

// named is one of the states.
func named(t *testing.T, name string) state {
	t.Helper()
	for _, s := range states() {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no page is in the state %q", name)
	return state{}
}
