package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendLine appends the event as a line of JSON. The first keys are those that
// log/slog would write, so that whoever reads the log of the process reads these.
func appendLine(b []byte, e *Event) []byte {
	b = append(b, `{"time":"`...)
	b = e.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":`...)
	b = appendString(b, e.Type)
	b = append(b, `,"audit":true`...)
	b = appendText(b, `,"decision":`, string(e.Decision))
	b = appendText(b, `,"reason":`, e.Reason)
	b = appendText(b, `,"subject":`, e.Subject)
	b = appendText(b, `,"email":`, e.Email)
	b = appendText(b, `,"organization":`, e.Organization)
	b = appendText(b, `,"client":`, e.Client)
	b = appendText(b, `,"grant":`, e.Grant)
	b = appendText(b, `,"grant_type":`, e.GrantType)
	b = appendText(b, `,"resource":`, e.Resource)
	b = appendText(b, `,"method":`, e.Method)
	b = appendText(b, `,"tool":`, e.Tool)
	b = appendText(b, `,"scope_held":`, e.ScopeHeld)
	b = appendText(b, `,"scope_needed":`, e.ScopeNeeded)
	b = appendText(b, `,"remote_addr":`, e.RemoteAddr)
	b = appendNumber(b, `,"status":`, int64(e.Status))
	b = appendMilliseconds(b, `,"duration_ms":`, e.Duration)
	b = appendText(b, `,"server":`, e.Server)
	b = appendText(b, `,"session":`, e.Session)
	b = appendText(b, `,"prompt":`, e.Prompt)
	b = appendText(b, `,"uri":`, e.URI)
	b = appendTexts(b, `,"argument_names":`, e.ArgumentNames)
	b = appendNumber(b, `,"bytes_in":`, e.BytesIn)
	b = appendNumber(b, `,"bytes_out":`, e.BytesOut)
	b = appendText(b, `,"trace_id":`, e.TraceID)
	b = appendText(b, `,"span_id":`, e.SpanID)
	b = appendNumber(b, `,"lost":`, int64(e.Lost))
	return append(b, "}\n"...)
}

func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, key...), value)
}

func appendTexts(b []byte, key string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(append(b, key...), '[')
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, value)
	}
	return append(b, ']')
}

func appendNumber(b []byte, key string, value int64) []byte {
	if value == 0 {
		return b
	}
	return strconv.AppendInt(append(b, key...), value, 10)
}

// appendMilliseconds writes whole microseconds, as 1.5 or 0.042.
func appendMilliseconds(b []byte, key string, value time.Duration) []byte {
	if value == 0 {
		return b
	}
	return strconv.AppendFloat(append(b, key...), float64(value.Microseconds())/1000, 'f', -1, 64)
}

const hexadecimal = "0123456789abcdef"

// appendString appends a JSON string (RFC 8259, section 7). What is not UTF-8
// becomes U+FFFD. U+2028 and U+2029 are escaped, as some readers take them for the
// end of a line.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0 // of what has not been copied yet
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				b = appendEscaped(append(b, s[start:i]...), c)
				start = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(append(b, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexadecimal[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(append(b, s[start:]...), '"')
}

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	default:
		return append(b, '\\', 'u', '0', '0', hexadecimal[c>>4], hexadecimal[c&0xf])
	}
}
