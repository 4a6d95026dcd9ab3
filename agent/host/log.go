package host

import (
	"context"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// rootName tells what go-plugin says about itself from what connectors say.
const rootName = "host"

// newLogger takes what go-plugin and the connector's stderr say into log.
func newLogger(log *slog.Logger, connector string) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: rootName, Level: hclog.Debug, Output: io.Discard})
	l.RegisterSink(&sink{log: log, connector: connector})
	return l
}

type sink struct {
	log       *slog.Logger
	connector string
}

// Accept implements [hclog.SinkAdapter]. What go-plugin reports is for
// debugging: what matters of it, the host says itself.
func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	if name != rootName {
		to = map[hclog.Level]slog.Level{hclog.Info: slog.LevelInfo, hclog.Warn: slog.LevelWarn, hclog.Error: slog.LevelError}[level]
		if level < hclog.Info {
			to = slog.LevelDebug
		}
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, to) {
		return
	}
	attrs := []any{"connector", s.connector, "text", msg}
	for i := 0; i+1 < len(args); i += 2 {
		if key, ok := args[i].(string); ok && key != "timestamp" {
			attrs = append(attrs, slog.Any("said."+key, args[i+1]))
		}
	}
	s.log.Log(ctx, to, "Connector says", attrs...)
}
