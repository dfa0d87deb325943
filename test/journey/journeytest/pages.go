package journeytest

import (
	"crypto/rand"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const sessionCookie = "__Host-session"

var pages = template.Must(template.New("pages").Parse(`
{{define "sign-in"}}<!doctype html><title>Sign in</title><h1>Sign in</h1><p>{{.Problem}}
<form method="post" action="/sign-in"><input type="hidden" name="request" value="{{.Request}}">
<input name="username"><input type="password" name="password"><button>Sign in</button></form>{{end}}
{{define "consent"}}<!doctype html><title>Consent</title><h1>Allow access?</h1>
<form method="post" action="/consent"><input type="hidden" name="request" value="{{.Request}}">
{{range .Scopes}}<label><input type="checkbox" name="scope" value="{{.}}" checked>{{.}}</label>{{end}}
<button name="decision" value="approve">Allow</button><button name="decision" value="deny">Deny</button></form>{{end}}
{{define "error"}}<!doctype html><title>Error</title><h1>This request cannot be answered</h1><p>{{.Problem}}{{end}}
`))

// content is what a page shows.
type content struct {
	Request, Problem string
	Scopes           []string
}

func show(rw http.ResponseWriter, status int, name string, c content) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	rw.WriteHeader(status)
	_ = pages.ExecuteTemplate(rw, name, c) // the browser went away
}

func (w *World) authorize(rw http.ResponseWriter, r *http.Request) {
	g, problem := w.valid(r.URL.Query())
	if problem != "" {
		show(rw, http.StatusBadRequest, "error", content{Problem: problem})
		return
	}
	c := content{Request: r.URL.RawQuery, Scopes: strings.Fields(g.scope)}
	if _, err := r.Cookie(sessionCookie); err != nil {
		show(rw, http.StatusOK, "sign-in", c)
		return
	}
	show(rw, http.StatusOK, "consent", c)
}

func (w *World) signIn(rw http.ResponseWriter, r *http.Request) {
	request := r.PostFormValue("request")
	if r.PostFormValue("username") != Username || r.PostFormValue("password") != Password {
		show(rw, http.StatusUnauthorized, "sign-in", content{Request: request, Problem: "Wrong username or password."})
		return
	}
	http.SetCookie(rw, &http.Cookie{
		Name: sessionCookie, Value: rand.Text(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(rw, r, "/authorize?"+request, http.StatusSeeOther)
}

func (w *World) consent(rw http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.PostFormValue("request"))
	g, problem := w.valid(q)
	if _, cookieErr := r.Cookie(sessionCookie); err != nil || problem != "" || cookieErr != nil || r.Header.Get("Origin") != w.asURL {
		show(rw, http.StatusBadRequest, "error", content{Problem: "This is not your request."})
		return
	}
	answer := url.Values{"state": {q.Get("state")}, "iss": {w.issuer()}}
	if w.faults.WrongIssuer {
		answer.Set("iss", w.asURL)
	}
	if r.PostFormValue("decision") == "approve" {
		g.scope = strings.Join(r.PostForm["scope"], " ")
		answer.Set("code", w.grantCode(g))
	} else {
		answer.Set("error", "access_denied")
	}
	http.Redirect(rw, r, g.redirect+"?"+answer.Encode(), http.StatusSeeOther)
}

func readAll(rw http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
}
