package web

import (
	"fmt"
	"io"
	"log/slog"

	"azulejo/internal/token"
)

// NewLog returns a logger that writes lines of key=value to w, from level
// ("debug", "info", "warn", "error") on. Whatever text it is given, secrets of
// tokens do not come through.
func NewLog(w io.Writer, level string) *slog.Logger {
	var min slog.Level
	if err := min.UnmarshalText([]byte(level)); err != nil {
		min = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: min, ReplaceAttr: redact}))
}

func redact(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		if s := a.Value.String(); token.Contains(s) {
			a.Value = slog.StringValue(token.Redact(s))
		}
	case slog.KindAny:
		if s := fmt.Sprintf("%+v", a.Value.Any()); token.Contains(s) {
			a.Value = slog.StringValue(token.Redact(s))
		}
	}
	return a
}
