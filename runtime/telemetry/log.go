// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"io"
	"log/slog"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// NewLogger returns a logger that writes JSON lines, and of those that say the same of many messages the first and their number.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(newSampling(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
}

// Whole is log without sampling, for lines about messages that somebody wants all of.
func Whole(log *slog.Logger) *slog.Logger {
	if s, sampled := log.Handler().(*sampling); sampled {
		return slog.New(s.Handler)
	}
	return log
}

// OfGroup adds which group a worker runs.
func OfGroup(log *slog.Logger, s worker.Structure) *slog.Logger {
	return log.With("namespace", s.Namespace, "name", s.Name, "group", s.Group)
}
