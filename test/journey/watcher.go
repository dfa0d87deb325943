package journey

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxObserved bounds what the watcher keeps of one body.
const maxObserved = 1 << 20

// exchange is one request of the client and its answer, as seen on the wire.
type exchange struct {
	method string
	url    *url.URL
	sent   []byte
	status int
	header http.Header
	// answer is the body of a JSON answer that is no MCP message, else nil.
	answer []byte
}

// form is the request's body as form parameters.
func (e exchange) form() url.Values {
	values, err := url.ParseQuery(string(e.sent))
	if err != nil {
		return url.Values{}
	}
	return values
}

// watcher is a transport that remembers what passes and which secrets it saw.
// It is safe for concurrent use.
type watcher struct {
	next http.RoundTripper
	// mcpURL is the endpoint whose answers may be endless streams.
	mcpURL string

	mu      sync.Mutex
	seen    []exchange
	secrets []string
}

// RoundTrip implements http.RoundTripper.
func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := sentBody(r)
	response, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	e := exchange{method: r.Method, url: r.URL, sent: sent, status: response.StatusCode, header: response.Header}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media == "application/json" && r.URL.String() != w.mcpURL {
		e.answer, response.Body = tee(response.Body)
	}
	w.remember(e)
	return response, nil
}

func (w *watcher) remember(e exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, e)
	for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret", "token"} {
		w.keepSecret(e.form().Get(name))
	}
	var answer struct {
		Access       string `json:"access_token"`
		Refresh      string `json:"refresh_token"`
		Secret       string `json:"client_secret"`
		Registration string `json:"registration_access_token"`
	}
	if json.Unmarshal(e.answer, &answer) == nil {
		w.keepSecret(answer.Access, answer.Refresh, answer.Secret, answer.Registration)
	}
}

// keepSecret is for callers that hold mu.
func (w *watcher) keepSecret(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" {
			w.secrets = append(w.secrets, secret)
		}
	}
}

// learn adds secrets that hide must know.
func (w *watcher) learn(secrets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keepSecret(secrets...)
}

// hide cuts every secret in text short.
func (w *watcher) hide(text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, secret := range w.secrets {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			text = strings.ReplaceAll(text, form, brief(secret))
		}
	}
	return text
}

// mark is a moment; since returns what came after it.
func (w *watcher) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

// last is the latest exchange after the mark that matches, and whether there is
// one.
func (w *watcher) last(mark int, matches func(exchange) bool) (exchange, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.seen) - 1; i >= mark; i-- {
		if matches(w.seen[i]) {
			return w.seen[i], true
		}
	}
	return exchange{}, false
}

func sentBody(r *http.Request) []byte {
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	defer body.Close()
	sent, err := io.ReadAll(io.LimitReader(body, maxObserved))
	if err != nil {
		return nil
	}
	return sent
}

// tee reads the beginning of a body and returns it with an equal body.
func tee(body io.ReadCloser) ([]byte, io.ReadCloser) {
	head, err := io.ReadAll(io.LimitReader(body, maxObserved))
	rest := io.Reader(body)
	if err != nil {
		rest = failing{err}
	}
	return head, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), body}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
