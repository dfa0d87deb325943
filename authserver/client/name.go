package client

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameLength bounds the name that a client gives itself, in characters.
const MaxNameLength = 200

// CleanName trims the name that a client gives itself. It refuses characters that
// could make the consent page show something else than was registered: controls
// and those that turn the direction of text. The errors' text is for the client.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if utf8.RuneCountInString(name) > MaxNameLength {
		return "", fmt.Errorf("it is longer than %d characters", MaxNameLength)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return "", errors.New("it holds characters that cannot be printed")
	}
	return name, nil
}
