package revocation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// publisher is a server's end of the feed. Its cursors count revocations.
type publisher struct {
	mu      sync.Mutex
	all     []Revocation
	changed chan struct{}
	page    int
	// cut makes it close connections without an answer.
	cut bool
	// asked has the query of each request.
	asked []string
	// entered tells of each request that has come.
	entered chan struct{}
}

func newPublisher() *publisher {
	return &publisher{changed: make(chan struct{}), page: MaxRevocations, entered: make(chan struct{}, 1000)}
}

func (p *publisher) revoke(r ...Revocation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, r...)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *publisher) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}

func (p *publisher) queries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.RawQuery)
	changed, cut := p.changed, p.cut
	p.mu.Unlock()
	p.entered <- struct{}{}
	if cut {
		panic(http.ErrAbortHandler)
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	feed := p.behind(after)
	if len(feed.Revocations) == 0 {
		select {
		case <-changed:
			feed = p.behind(after)
		case <-r.Context().Done():
			return
		}
	}
	_ = json.NewEncoder(w).Encode(feed)
}

func (p *publisher) behind(after int) Feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := min(len(p.all), after+p.page)
	return Feed{Next: strconv.Itoa(end), Revocations: slices.Clone(p.all[after:end]), More: end < len(p.all)}
}

// following runs a follower of the URL until the test ends, and tells what it hears.
func following(t *testing.T, url string, change ...func(*Follower)) (f *Follower, heard chan []Revocation) {
	t.Helper()
	heard = make(chan []Revocation, 100)
	f = &Follower{URL: url, Set: &Set{}, OnRevoked: func(r []Revocation) { heard <- r }, Now: func() time.Time { return now }}
	for _, c := range change {
		c(f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f, heard
}

func next[T any](t *testing.T, from chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
	return v
}

func TestAFollowerLearnsWhatWasAndWhatIsRevoked(t *testing.T) {
	p := newPublisher()
	p.revoke(revoked(time.Hour, "a", "b")...)
	server := httptest.NewServer(p)
	defer server.Close()
	f, heard := following(t, server.URL+"/revocations?tenant=x")
	if diff := cmp.Diff(revoked(time.Hour, "a", "b"), next(t, heard)); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	next(t, p.entered)
	next(t, p.entered) // the second request is held now
	p.revoke(revoked(time.Hour, "c")...)
	if diff := cmp.Diff(revoked(time.Hour, "c"), next(t, heard)); diff != "" {
		t.Errorf("then (-want +got):\n%s", diff)
	}
	if !f.Set.Contains("a") || !f.Set.Contains("b") || !f.Set.Contains("c") || f.Set.Contains("d") {
		t.Error("the set does not contain what was heard")
	}
	if !f.LastContact().Equal(now) {
		t.Errorf("the last contact was at %s", f.LastContact())
	}
	if want, got := []string{"tenant=x&wait=0", "after=2&tenant=x&wait=25"}, p.queries(); !cmp.Equal(want, got[:2]) {
		t.Errorf("it asked %q", got)
	}
}

func TestAFollowerCatchesUpAfterALostConnection(t *testing.T) {
	p := newPublisher()
	p.revoke(revoked(time.Hour, "a")...)
	server := httptest.NewServer(p)
	defer server.Close()
	f, heard := following(t, server.URL)
	next(t, heard)
	next(t, p.entered)
	next(t, p.entered)
	p.setCut(true)
	server.CloseClientConnections()
	next(t, p.entered) // it comes back, in vain
	p.revoke(revoked(time.Hour, "b", "c")...)
	if f.Set.Contains("b") || !f.Set.Contains("a") {
		t.Error("a lost connection changed what is known")
	}
	p.setCut(false)
	if diff := cmp.Diff(revoked(time.Hour, "b", "c"), next(t, heard)); diff != "" {
		t.Errorf("it missed something, or heard it twice (-want +got):\n%s", diff)
	}
	for _, query := range p.queries()[1:] {
		if !strings.HasPrefix(query, "after=1&") && !strings.HasPrefix(query, "after=3&") {
			t.Errorf("it asked %q, and so began anew", query)
		}
	}
}

func TestManyRevocationsComeInPagesWithoutPauses(t *testing.T) {
	p := newPublisher()
	p.page = 7
	var want []Revocation
	for n := range 100 {
		want = append(want, revoked(time.Hour, fmt.Sprint(n))...)
	}
	p.revoke(want...)
	server := httptest.NewServer(p)
	defer server.Close()
	_, heard := following(t, server.URL)
	var got []Revocation
	for len(got) < len(want) {
		got = append(got, next(t, heard)...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatHasExpiredIsIgnored(t *testing.T) {
	p := newPublisher()
	p.revoke(append(revoked(-time.Hour, "long ago"), revoked(time.Hour, "a")...)...)
	server := httptest.NewServer(p)
	defer server.Close()
	f, heard := following(t, server.URL)
	if diff := cmp.Diff(revoked(time.Hour, "a"), next(t, heard)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f.Set.Contains("long ago") || f.Set.Len() != 1 {
		t.Errorf("%d are remembered", f.Set.Len())
	}
}

// script answers requests one after the other, without a network, so that a test's
// time is its own.
type script struct {
	mu      sync.Mutex
	answers []func() (int, string)
	asked   []string
	at      []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked, s.at = append(s.asked, r.URL.RawQuery), append(s.at, time.Now())
	answer := func() (int, string) {
		<-r.Context().Done()
		return 0, ""
	}
	if n := len(s.at) - 1; n < len(s.answers) {
		answer = s.answers[n]
	}
	s.mu.Unlock()
	status, body := answer()
	switch {
	case r.Context().Err() != nil:
		return nil, r.Context().Err()
	case status == 0:
		return nil, errors.New("connection refused")
	}
	header := http.Header{"Location": {"http://elsewhere.test/"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func says(status int, body string) func() (int, string) {
	return func() (int, string) { return status, body }
}

// play runs a follower against a script for a while.
func play(t *testing.T, during time.Duration, answers ...func() (int, string)) (*script, *Follower, string) {
	t.Helper()
	s, logs := &script{answers: answers}, &bytes.Buffer{}
	f := &Follower{
		URL: "http://as.test/revocations", Client: &http.Client{Transport: s, Timeout: time.Millisecond}, Set: &Set{},
		Logger: slog.New(slog.NewTextHandler(logs, nil)),
	}
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	f.Run(ctx)
	return s, f, logs.String()
}

const nothingNew = `{"next":"1","revocations":[],"more":false}`

func TestAfterFailuresTheFollowerWaitsLongerAndThenNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := says(0, "")
		failing := slices.Repeat([]func() (int, string){away}, 10)
		s, f, logs := play(t, 10*time.Minute, append(failing, says(200, nothingNew), away, away)...)
		if f.LastContact().IsZero() || len(s.at) < 13 {
			t.Fatalf("%d requests in ten minutes, last contact %s", len(s.at), f.LastContact())
		}
		for n := 1; n <= 10; n++ {
			most := min(firstRetry<<(n-1), maxRetry)
			if pause := s.at[n].Sub(s.at[n-1]); pause < most/2 || pause > most+time.Millisecond {
				t.Errorf("after failure %d it waited %s, want up to %s", n, pause, most)
			}
		}
		if pause := s.at[12].Sub(s.at[11]); pause > firstRetry {
			t.Errorf("after a success and one failure it waited %s", pause)
		}
		if !strings.Contains(logs, "connection refused") {
			t.Errorf("the log does not say why: %s", logs)
		}
	})
}

func TestAServerThatHoldsNoRequestsIsNotFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := play(t, time.Minute, slices.Repeat([]func() (int, string){says(200, nothingNew)}, 1000)...)
		if len(s.at) > 61 {
			t.Errorf("it was asked %d times in a minute", len(s.at))
		}
	})
}

func TestARequestThatIsHeldTooLongIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := play(t, time.Minute)
		if len(s.at) < 2 || s.at[1].Sub(s.at[0]) < 35*time.Second || s.at[1].Sub(s.at[0]) > 37*time.Second {
			t.Errorf("it asked at %v", s.at)
		}
	})
}

func TestWhenTheServerForgotTheCursorTheFollowerBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon := time.Now().Add(time.Hour).Unix()
		page := func(next, id string) func() (int, string) {
			return says(200, fmt.Sprintf(`{"next":%q,"revocations":[{"id":%q,"exp":%d}]}`, next, id, soon))
		}
		s, f, _ := play(t, 10*time.Second, page("500", "a"), says(410, ""), page("1", "b"))
		if want := []string{"wait=0", "after=500&wait=25", "wait=0", "after=1&wait=25"}; !cmp.Equal(want, s.asked) {
			t.Errorf("it asked %q", s.asked)
		}
		if !f.Set.Contains("a") || !f.Set.Contains("b") {
			t.Error("the set lost something")
		}
	})
}

func TestAnswersThatAreNoFeedChangeNothing(t *testing.T) {
	for name, bad := range map[string]func() (int, string){
		"an error":               says(500, nothingNew),
		"a redirect":             says(302, nothingNew),
		"no content":             says(204, ""),
		"gone, at the beginning": says(410, ""),
		"HTML":                   says(200, "<html>"),
		"cut short":              says(200, nothingNew[:20]),
		"too large":              says(200, nothingNew+strings.Repeat(" ", MaxSize)),
		"more, but nothing":      says(200, `{"next":"9","revocations":[],"more":true}`),
		"more of the same":       says(200, `{"next":"1","revocations":[{"id":"x","exp":9999999999}],"more":true}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := says(200, nothingNew)
				if strings.HasPrefix(name, "gone") {
					first = bad
				}
				s, f, logs := play(t, 20*time.Second, first, bad, says(200, `{"next":"2","revocations":[{"id":"y","exp":9999999999}]}`))
				if f.Set.Contains("x") || !f.Set.Contains("y") {
					t.Errorf("it took the bad answer, or nothing after it: %d known", f.Set.Len())
				}
				// With the same cursor, and without waiting: how do things stand?
				if !strings.HasPrefix(name, "gone") && s.asked[2] != strings.Replace(s.asked[1], "wait=25", "wait=0", 1) {
					t.Errorf("the cursor moved: %q", s.asked)
				}
				if !strings.Contains(logs, "could not follow") {
					t.Errorf("the log does not tell: %s", logs)
				}
			})
		})
	}
}

func TestMoreRevocationsThanCanBeRememberedAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &bytes.Buffer{}
		f := &Follower{
			URL: "http://as.test/", Set: &Set{Size: 1}, Logger: slog.New(slog.NewTextHandler(logs, nil)),
			Client: &http.Client{Transport: &script{answers: []func() (int, string){
				says(200, `{"next":"2","revocations":[{"id":"x","exp":9999999998},{"id":"y","exp":9999999999}]}`),
			}}},
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Run(ctx)
		if f.Set.Contains("x") || !f.Set.Contains("y") || !strings.Contains(logs.String(), "level=ERROR") {
			t.Errorf("%d known, and the log says %s", f.Set.Len(), logs)
		}
	})
}
