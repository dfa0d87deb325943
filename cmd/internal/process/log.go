package process

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// NewLogger writes JSON, one object a line. The level is debug, info, warn or
// error. A value that can say what it is in words does so, rather than showing
// its fields.
func NewLogger(w io.Writer, level string) (*slog.Logger, error) {
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)
	}
	return NewLoggerAt(w, parsed), nil
}

// NewLoggerAt is NewLogger with a level that may change.
func NewLoggerAt(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: inWords}))
}

func inWords(_ []string, attr slog.Attr) slog.Attr {
	if attr.Value.Kind() != slog.KindAny {
		return attr
	}
	switch value := attr.Value.Any().(type) {
	case error, time.Time, *slog.Source, slog.Level: // which the handler words itself
	case fmt.Stringer:
		attr.Value = slog.StringValue(value.String())
	}
	return attr
}
