package sidecar

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// shot is one request.
type shot struct {
	kind   string
	bearer string
	user   string
	method string // POST where empty
	body   string // # stands for the request's number
	header map[string]string
	// want is what it may be answered, asked when the answer is there.
	want func() []int
	// list has the bodies that a list may have; nil means any that has the number in it.
	list []string
}

func statuses(want ...int) func() []int { return func() []int { return want } }

func numberedCall(tool string) string { return strings.Replace(call(tool), `"id":1`, `"id":#`, 1) }

// shots are the kinds of requests, each as it is drawn.
func (l *load) shots() []func(*rand.Rand) shot {
	plain := func(kind, scopes, body string, want ...int) func(*rand.Rand) shot {
		return func(r *rand.Rand) shot {
			i := r.IntN(loadUsers)
			return shot{kind: kind, bearer: l.minted.Load().users[i][scopes], user: fmt.Sprint("user-", i), body: body, want: statuses(want...)}
		}
	}
	with := func(make func(*rand.Rand) shot, change func(*rand.Rand, *shot)) func(*rand.Rand) shot {
		return func(r *rand.Rand) shot {
			s := make(r)
			change(r, &s)
			return s
		}
	}
	unauthorized := func(kind string, bearer func(r *rand.Rand) string) func(*rand.Rand) shot {
		return with(plain(kind, "todo:read", numberedCall("get_task"), 401), func(r *rand.Rand, s *shot) { s.bearer = bearer(r) })
	}
	return []func(*rand.Rand) shot{
		plain("allowed call", "todo:read", numberedCall("get_task"), 200),
		plain("allowed call of two scopes", "todo:read todo:write", numberedCall("create_task"), 200),
		plain("allowed call of an admin", "todo:admin", numberedCall("purge"), 200),
		plain("initialize", "todo:read", strings.Replace(initialize, `"id":1`, `"id":#`, 1), 200),
		plain("forbidden call", "todo:read", numberedCall("purge"), 403),
		plain("call that no scope opens", "todo:admin", numberedCall("unheard_of"), 403),
		plain("call that one policy opens", "todo:read", numberedCall("delete_task"), 200, 403),
		plain("allowed batch", "todo:read", "["+numberedCall("get_task")+","+numberedCall("list_tasks")+"]", 200),
		plain("forbidden batch", "todo:read", "["+numberedCall("get_task")+","+numberedCall("purge")+"]", 403),
		plain("broken body", "todo:read", `{"id":#,`, 400),
		with(plain("list", "todo:read", strings.Replace(list("tools"), `"id":1`, `"id":#`, 1), 200), func(_ *rand.Rand, s *shot) {
			s.list = []string{loadList("list_tasks", "get_task"), loadList("list_tasks", "get_task", "delete_task")}
		}),
		with(plain("stream", "todo:read", "", 200), func(_ *rand.Rand, s *shot) { s.method = http.MethodGet }),
		with(plain("call in one's session", "todo:read", numberedCall("get_task"), 200), func(_ *rand.Rand, s *shot) {
			s.header = map[string]string{headerSession: "of-" + s.user}
		}),
		with(plain("call in another's session", "todo:read", numberedCall("get_task"), 404), func(_ *rand.Rand, s *shot) {
			s.header = map[string]string{headerSession: "of-nobody"}
		}),
		unauthorized("no token", func(*rand.Rand) string { return "" }),
		unauthorized("expired token", func(*rand.Rand) string { return l.minted.Load().expired }),
		unauthorized("token for another resource", func(*rand.Rand) string { return l.minted.Load().foreign }),
		unauthorized("tampered token", func(*rand.Rand) string { return l.minted.Load().users[0]["todo:read"] + "AAAA" }),
		l.revocable,
		l.ofTheFirstKey,
		l.ofAnInventedKey(plain("allowed call", "todo:read", numberedCall("get_task"), 200)),
	}
}

// revocable is a call with a token whose grant is, or is not, or may be revoked.
func (l *load) revocable(r *rand.Rand) shot {
	i := r.IntN(loadGrants)
	known := l.known.Load() > int64(i)
	return shot{kind: "call with a token that is revoked one day", bearer: l.minted.Load().grants[i], user: "user-0", body: numberedCall("get_task"),
		want: func() []int {
			switch {
			case known:
				return []int{401}
			case l.revoked.Load() <= int64(i):
				return []int{200}
			default:
				return []int{200, 401}
			}
		}}
}

// ofTheFirstKey is a call with a token of the key that is retired.
func (l *load) ofTheFirstKey(*rand.Rand) shot {
	retired := l.retired.Load()
	return shot{kind: "call with a token of the first key", bearer: l.old.users[1]["todo:read"], user: "user-1", body: numberedCall("get_task"),
		want: func() []int {
			switch {
			case retired:
				return []int{401}
			case !l.retiring.Load():
				return []int{200}
			default:
				return []int{200, 401}
			}
		}}
}

func (l *load) ofAnInventedKey(instead func(*rand.Rand) shot) func(*rand.Rand) shot {
	return func(r *rand.Rand) shot {
		s := instead(r)
		if l.strange.Load() {
			head := `{"alg":"RS256","typ":"at+jwt","kid":"invented-` + fmt.Sprint(r.Int64()) + `"}`
			parts := strings.SplitN(s.bearer, ".", 2)
			s.kind, s.bearer, s.want = "token of an invented key", base64.RawURLEncoding.EncodeToString([]byte(head))+"."+parts[1], statuses(401)
		}
		return s
	}
}

func loadList(tools ...string) string {
	entries := make([]string, len(tools))
	for i, tool := range tools {
		entries[i] = `{"name":"` + tool + `"}`
	}
	return `{"jsonrpc":"2.0","id":#,"result":{"tools":[` + strings.Join(entries, ",") + `]}}`
}

// serve is the MCP server: it answers with the number of the request, and with 500 where
// the request is not the one that was sent.
func (l *load) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	number := r.Header.Get("X-Number")
	switch {
	case r.Header.Get(HeaderSubject) != r.Header.Get("X-User"), r.Header.Get("Authorization") != "",
		r.Method == http.MethodPost && !strings.Contains(string(body), `"id":`+number):
		w.WriteHeader(http.StatusInternalServerError)
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/event-stream")
		event(w, number)
		<-r.Context().Done()
	case strings.Contains(string(body), "tools/list"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.Replace(loadList("list_tasks", "get_task", "delete_task", "purge"), "#", number, 1))
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+number+`,"result":{}}`)
	}
}

// fire sends a request and compares the answer with what it may be.
func (l *load) fire(ctx context.Context, t *testing.T, s shot) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	number := fmt.Sprint(l.number.Add(1))
	r := l.request(t, s.bearer, strings.ReplaceAll(s.body, "#", number)).WithContext(ctx)
	r.Header.Set("X-Number", number)
	r.Header.Set("X-User", s.user)
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	if s.method == http.MethodGet {
		r.Method, r.Body, r.ContentLength = s.method, nil, 0
	}
	res, err := l.client.Do(r)
	if err != nil {
		l.note(s.kind, fmt.Sprintf("no answer: %v", err))
		return
	}
	defer func() { _ = res.Body.Close() }()
	text := ""
	if s.method == http.MethodGet && res.StatusCode == http.StatusOK {
		text, err = bufio.NewReader(res.Body).ReadString('\n')
	} else {
		var data []byte
		data, err = io.ReadAll(res.Body)
		text = string(data)
	}
	want := s.want()
	wrong := ""
	switch {
	case err != nil:
		wrong = fmt.Sprintf("the answer broke off: %v", err)
	case !slices.Contains(want, res.StatusCode):
		wrong = fmt.Sprintf("%d, want one of %v: %.200s", res.StatusCode, want, text)
	case res.StatusCode == http.StatusOK && !strings.Contains(text, number):
		wrong = fmt.Sprintf("the answer is another request's: %.200s", text)
	case s.list != nil && !slices.ContainsFunc(s.list, func(form string) bool { return strings.Replace(form, "#", number, 1) == text }):
		wrong = fmt.Sprintf("the list is %.200s", text)
	}
	l.note(fmt.Sprintf("%s: %d", s.kind, res.StatusCode), wrong)
}

func (l *load) note(kind, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[kind]++
	if wrong != "" {
		l.wrong = append(l.wrong, kind+": "+wrong)
	}
}
