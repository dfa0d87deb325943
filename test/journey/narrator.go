package journey

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
)

// Terminal colours, by what they mean here.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	amber = "33"
)

// narrator writes the story. What it writes passes through hide, which cuts
// secrets short. A writer that fails does not stop the journey.
type narrator struct {
	w     io.Writer
	color bool
	hide  func(string) string
}

func (n *narrator) title(text string) { n.print("\n%s\n", n.paint(bold, n.hide(text))) }
func (n *narrator) end(text string)   { n.print("\n%s\n\n", n.paint(green, text)) }

func (n *narrator) step(number int, title string) {
	n.print("\n%s  %s\n", n.paint(bold, fmt.Sprintf("%2d", number)), n.paint(bold, title))
}

// say adds a line to the step; label, if any, names the value.
func (n *narrator) say(label, value string) {
	if label != "" {
		label = fmt.Sprintf("%-18s ", label)
	}
	n.print("      %s%s\n", n.paint(dim, label), n.hide(value))
}

func (n *narrator) done(text string)    { n.print("    %s %s\n", n.paint(green, "✓"), n.hide(text)) }
func (n *narrator) skipped(text string) { n.print("    %s %s\n", n.paint(amber, "–"), n.hide(text)) }

func (n *narrator) failed(want, got string) {
	n.print("    %s expected  %s\n      got       %s\n\n", n.paint(red, "✗"), want, got)
}

func (n *narrator) print(format string, args ...any) { _, _ = fmt.Fprintf(n.w, format, args...) }

func (n *narrator) paint(code, text string) string {
	if !n.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// brief is the recognisable beginning of a secret.
func brief(secret string) string {
	if len(secret) <= 8 {
		return "…"
	}
	return secret[:8] + "…"
}

// named is brief with a fingerprint, since all JWTs begin alike.
func named(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return fmt.Sprintf("%s #%x", brief(secret), sum[:3])
}

func list(items []string) string {
	if len(items) == 0 {
		return "(none)"
	}
	return strings.Join(items, " ")
}
