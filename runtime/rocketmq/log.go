// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"context"
	"log/slog"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// setLogger is global because the library's logger is: replacing it while another client runs would be a data race.
var setLogger sync.Once //nolint:gochecknoglobals // the library's logger is global too

// useLogger routes the library's log lines to l, once per process.
func useLogger(l *slog.Logger) {
	setLogger.Do(func() { rlog.SetLogger(logAdapter{logger: l.With("library", "rocketmq-client-go")}) })
}

// logAdapter is the library's logger on slog. The library logs whole messages on some errors: they never pass.
type logAdapter struct{ logger *slog.Logger }

var _ rlog.Logger = logAdapter{}

func (a logAdapter) Debug(msg string, fields map[string]any) { a.log(slog.LevelDebug, msg, fields) }

// Info is what the library says about its inner life, dozens of lines a minute: debug to us.
func (a logAdapter) Info(msg string, fields map[string]any)    { a.log(slog.LevelDebug, msg, fields) }
func (a logAdapter) Warning(msg string, fields map[string]any) { a.log(slog.LevelWarn, msg, fields) }

// Error is a warning to us: every failure that matters also reaches a sender, who decides how bad it is.
func (a logAdapter) Error(msg string, fields map[string]any) { a.log(slog.LevelWarn, msg, fields) }

// Fatal does not end the process, unlike the library's own logger.
func (a logAdapter) Fatal(msg string, fields map[string]any) { a.log(slog.LevelError, msg, fields) }

// Level does nothing: the slog handler decides.
func (logAdapter) Level(string) {}

// OutputPath does nothing: the slog handler decides.
func (logAdapter) OutputPath(string) error { return nil }

func (a logAdapter) log(level slog.Level, msg string, fields map[string]any) {
	ctx := context.Background() // The library passes none.
	if !a.logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for key, value := range fields {
		if !hasBody(value) {
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	a.logger.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // the words are the library's
}

// hasBody reports whether formatting the value would print a message's body, which may hold personal data; formatting a
// message the library still writes to is a race besides.
func hasBody(value any) bool {
	switch value.(type) {
	case primitive.Message, *primitive.Message, []*primitive.Message,
		primitive.MessageExt, *primitive.MessageExt, []*primitive.MessageExt:
		return true
	default:
		return false
	}
}
