package controllers

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// writes records every request by which the operator changes something, as
// "METHOD path". Refused ones are left out, since they change nothing, and so are
// events, since they tell of changes.
type writes struct {
	mu   sync.Mutex
	done []string
}

// observe returns a configuration whose requests are recorded.
func (w *writes) observe(config *rest.Config) *rest.Config {
	observed := rest.CopyConfig(config)
	observed.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			changes := request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/events")
			if changes && err == nil && response.StatusCode < http.StatusMultipleChoices {
				w.mu.Lock()
				w.done = append(w.done, request.Method+" "+request.URL.Path)
				w.mu.Unlock()
			}
			return response, err
		})
	})
	return observed
}

// about are the writes whose path has the text in it, in order.
func (w *writes) about(text string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.done), func(write string) bool { return !strings.Contains(write, text) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
