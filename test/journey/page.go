package journey

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxPageText is how much of a page's text an error quotes.
const maxPageText = 300

// page is what the browser shows: its forms, its readable text, and the headers
// that govern where it may lead.
type page struct {
	url    *url.URL
	header http.Header
	forms  []*form
	text   string
}

// form holds what submitting it without touching it would send, apart from the
// buttons, of which only the pressed one is sent.
type form struct {
	action  *url.URL
	method  string
	fields  url.Values
	buttons []button
	boxes   []button
}

// button is a name and a value: a submit button, or a checkbox.
type button struct{ name, value string }

func parsePage(at *url.URL, header http.Header, body io.Reader) (*page, error) {
	root, err := html.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("parse HTML: %w", err)
	}
	p := &page{url: at, header: header}
	var words []string
	var current *form
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && !hidden(n.Parent):
			words = append(words, strings.Fields(n.Data)...)
		case n.Type == html.ElementNode && n.DataAtom == atom.Form:
			if current, err = newForm(at, n); err != nil {
				return nil, err
			}
			p.forms = append(p.forms, current)
		case n.Type == html.ElementNode && current != nil && inForm(n):
			current.add(n)
		}
	}
	p.text = shorten(strings.Join(words, " "), maxPageText)
	return p, nil
}

func newForm(at *url.URL, n *html.Node) (*form, error) {
	action, err := at.Parse(attr(n, "action"))
	if err != nil {
		return nil, fmt.Errorf("a form's action: %w", err)
	}
	return &form{action: action, method: attr(n, "method"), fields: url.Values{}}, nil
}

func (f *form) add(n *html.Node) {
	name, value := attr(n, "name"), attr(n, "value")
	if name == "" || has(n, "disabled") {
		return
	}
	switch kind := strings.ToLower(attr(n, "type")); {
	case n.DataAtom == atom.Button && kind != "button" && kind != "reset", n.DataAtom == atom.Input && kind == "submit":
		f.buttons = append(f.buttons, button{name, value})
	case n.DataAtom != atom.Input || kind == "button" || kind == "reset" || kind == "image" || kind == "file":
	case kind == "checkbox" || kind == "radio":
		f.boxes = append(f.boxes, button{name, value})
		if has(n, "checked") {
			f.fields.Add(name, value)
		}
	default:
		f.fields.Add(name, value)
	}
}

// formWith is the first form with all the named inputs, or nil.
func (p *page) formWith(names ...string) *form {
	for _, f := range p.forms {
		found := 0
		for _, name := range names {
			if f.fields.Has(name) {
				found++
			}
		}
		if found == len(names) {
			return f
		}
	}
	return nil
}

// formWithButton is the first form with a submit button of that name, or nil.
func (p *page) formWithButton(name string) *form {
	for _, f := range p.forms {
		for _, b := range f.buttons {
			if b.name == name {
				return f
			}
		}
	}
	return nil
}

func inForm(n *html.Node) bool {
	for a := range n.Ancestors() {
		if a.DataAtom == atom.Form {
			return true
		}
	}
	return false
}

func hidden(n *html.Node) bool {
	return n != nil && (n.DataAtom == atom.Style || n.DataAtom == atom.Script || n.DataAtom == atom.Noscript)
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// shorten cuts s after at most limit bytes, between characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
