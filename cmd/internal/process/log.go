package process

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger writes JSON, one object a line. The level is debug, info, warn or
// error.
func NewLogger(w io.Writer, level string) (*slog.Logger, error) {
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", level)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: parsed})), nil
}
