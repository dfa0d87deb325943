package authserver

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcpauth/mcpauth/oauth"
)

// maxFormSize bounds the parameters of any request, in bytes.
const maxFormSize = 64 << 10

// bodyTimeout is how long the whole of a body may take to arrive.
const bodyTimeout = 10 * time.Second

const formType = "application/x-www-form-urlencoded"

// readForm reads the parameters in a request's body. Those in the URL are not
// looked at: secrets do not belong there. Its errors are *oauth.Error.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	types := r.Header.Values("Content-Type")
	if len(types) != 1 {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request needs one Content-Type: %s", formType)
	}
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != formType {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the Content-Type must be %s", formType)
	}
	body, err := readBody(w, r, maxFormSize)
	if err != nil {
		return nil, err
	}
	return parseParameters(string(body))
}

// readBody reads at most limit bytes. Its errors are *oauth.Error.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request's content must not be encoded")
	}
	// What cannot set a deadline, such as a recorder in a test, needs none.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil { // else nobody waits for the rest either
		_ = control.SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request is larger than %d KiB", limit>>10)
	}
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request's content could not be read").WithCause(err)
	}
	return body, nil
}

// parseParameters reads form-encoded text. Its errors are *oauth.Error.
func parseParameters(raw string) (url.Values, error) {
	if len(raw) > maxFormSize {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the request is larger than %d KiB", maxFormSize>>10)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, oauth.Errorf(oauth.InvalidRequest, "the parameters are not form-encoded")
	}
	for _, all := range values {
		for _, value := range all {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return nil, oauth.Errorf(oauth.InvalidRequest, "a parameter holds characters that no parameter may hold")
			}
		}
	}
	return values, nil
}

// onlyOnce refuses a parameter that occurs twice (RFC 6749 §3.1, §3.2), as two
// readers could take different ones. "resource" may (RFC 8707 §2); what that
// means is for whoever reads it.
func onlyOnce(values url.Values) error {
	for name, all := range values {
		if len(all) > 1 && name != "resource" {
			return oauth.Errorf(oauth.InvalidRequest, "the parameter %s occurs more than once", printable(name))
		}
	}
	return nil
}

// printable makes a short name out of what a stranger chose.
func printable(name string) string {
	for i := range len(name) {
		if c := name[i]; c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return "with an odd name"
		}
	}
	if len(name) > 64 {
		return "with a long name"
	}
	return name
}

// resourcesOf are the request's non-empty resource indicators.
func resourcesOf(values url.Values) []string {
	var named []string
	for _, value := range values["resource"] {
		if value != "" {
			named = append(named, value)
		}
	}
	return named
}
