package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed templates/*.html style.css
var files embed.FS

// Values of the button named "decision" on the consent page.
const (
	Approve = "approve"
	Deny    = "deny"
)

// Form actions of a Content-Security-Policy.
const (
	toOurselves = "; form-action 'self'"
	toAnywhere  = "" // see the package comment
)

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
	for _, name := range []string{"signin", "consent", "failure"} {
		parsed, err := template.ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		r.pages[name] = parsed
	}
	return r, nil
}

// document is what the layout gets: the page's own data and what all have.
type document struct {
	Style template.CSS
	Site  string
	Title string
	Page  any
}

type content struct {
	name, site, title string
	status            int
	formAction        string
	page              any
}

// write renders to memory first, so that a failure can still become a status.
func (r *Renderer) write(w http.ResponseWriter, c content) error {
	var out bytes.Buffer
	doc := document{Style: r.style, Site: c.site, Title: c.title, Page: c.page}
	if err := r.pages[c.name].ExecuteTemplate(&out, "layout", doc); err != nil {
		return fmt.Errorf("render page %s: %w", c.name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", r.policy+c.formAction)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(c.status)
	_, _ = w.Write(out.Bytes()) // the browser may have gone
	return nil
}
