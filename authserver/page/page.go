package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed templates/*.html style.css
var files embed.FS

// Form actions of a Content-Security-Policy.
const (
	toNobody    = "; form-action 'none'"
	toOurselves = "; form-action 'self'"
	toAnywhere  = "" // see the package comment
)

// imagesInPages is what a Content-Security-Policy allows for a logo.
const imagesInPages = "; img-src data:"

// Site is the installation as all its pages show it.
type Site struct {
	Name string
	// Logo is a data: URI of an image in PNG, SVG or WebP. Where it is empty, or
	// something else, pages have a drawing of their own.
	Logo string
}

// logo is what an img element may show. Browsers run no script in an SVG there.
func (s Site) logo() template.URL {
	for _, kind := range []string{"png", "svg+xml", "webp"} {
		rest, ok := strings.CutPrefix(s.Logo, "data:image/"+kind)
		if ok && (strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, ";")) {
			return template.URL(s.Logo) //nolint:gosec // an image by its prefix, and escaped as an attribute
		}
	}
	return ""
}

// Renderer writes pages. It is safe for concurrent use.
type Renderer struct {
	pages map[string]*template.Template
	style template.CSS
	// policy is the part of the Content-Security-Policy that all pages share.
	policy string
}

// New parses the embedded templates; an error means that this build is broken.
func New() (*Renderer, error) {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("read the style sheet: %w", err)
	}
	sum := sha256.Sum256(style)
	r := &Renderer{
		pages: make(map[string]*template.Template),
		style: template.CSS(style), //nolint:gosec // our own file, not input
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; frame-ancestors 'none'",
	}
	words := template.FuncMap{"day": day, "instant": instant}
	for _, name := range []string{"signin", "consent", "account", "signedout", "failure"} {
		parsed, err := template.New(name).Funcs(words).ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = parsed
	}
	return r, nil
}

// day is a date as people read it, in UTC like all that the pages say of time.
func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// instant is a point in time as the datetime attribute wants it.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// document is what the layout gets: the page's own data and what all have.
type document struct {
	Style template.CSS
	Site  string
	Logo  template.URL
	Title string
	// Wide pages are lists, not questions.
	Wide bool
	Page any
}

type content struct {
	name, title string
	site        Site
	status      int
	formAction  string
	wide        bool
	page        any
}

// write renders to memory first, so that a failure can still become a status.
func (r *Renderer) write(w http.ResponseWriter, c content) error {
	var out bytes.Buffer
	doc := document{Style: r.style, Site: c.site.Name, Logo: c.site.logo(), Title: c.title, Wide: c.wide, Page: c.page}
	if err := r.pages[c.name].ExecuteTemplate(&out, "layout", doc); err != nil {
		return fmt.Errorf("render page %s: %w", c.name, err)
	}
	policy := r.policy + c.formAction
	if doc.Logo != "" {
		policy += imagesInPages
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(c.status)
	_, _ = w.Write(out.Bytes()) // the browser may have gone
	return nil
}
