// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sampleFirst lines of one failure are written in sampleInterval, and then how many more there were.
	sampleFirst    = 5
	sampleInterval = 10 * time.Second
	// maxFailures bounds how many are told apart at once: a detail may hold a duration.
	maxFailures = 256
)

// failure is what lines have in common that say the same of different messages.
type failure struct {
	level                                  slog.Level
	message                                string
	outcome, reason, adapter, step, detail string
}

// sampling writes the first lines of a failure and counts the rest: a third party that is down fails every message in the same way, hundreds a second. Only lines
// that name a message are counted; those that name none tell of a change of state, and are written always.
type sampling struct {
	slog.Handler

	seen *failures
}

// failures are those of the interval that goes on.
type failures struct {
	mu     sync.Mutex
	counts map[failure]int
}

func newSampling(next slog.Handler) slog.Handler {
	return &sampling{Handler: next, seen: &failures{counts: map[failure]int{}}}
}

// Handle implements slog.Handler.
func (s *sampling) Handle(ctx context.Context, r slog.Record) error {
	f, ofMessage := identify(r)
	if ofMessage && !s.seen.admit(f, s.Handler) {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (s *sampling) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &sampling{Handler: s.Handler.WithAttrs(attrs), seen: s.seen}
}

// WithGroup implements slog.Handler.
func (s *sampling) WithGroup(name string) slog.Handler {
	return &sampling{Handler: s.Handler.WithGroup(name), seen: s.seen}
}

// identify says whether a line names a message, and what it says of it.
func identify(r slog.Record) (f failure, ofMessage bool) {
	f = failure{level: r.Level, message: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "messageId", "reconsumed", "idempotencyKey":
			ofMessage = true
		case "outcome", "wouldBe":
			f.outcome = a.Value.String()
		case "reason":
			f.reason = a.Value.String()
		case "adapter":
			f.adapter = a.Value.String()
		case "step":
			f.step = a.Value.String()
		case "detail":
			f.detail = a.Value.String()
		}
		return true
	})
	return f, ofMessage
}

// admit counts a line and reports whether it is written. The first one begins an interval, at whose end it is said what was not.
func (s *failures) admit(f failure, to slog.Handler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[f] == 0 && len(s.counts) >= maxFailures {
		f.detail = ""
	}
	if s.counts[f] == 0 {
		time.AfterFunc(sampleInterval, func() { s.sum(f, to) })
	}
	s.counts[f]++
	return s.counts[f] <= sampleFirst
}

// sum ends the interval of a failure.
func (s *failures) sum(f failure, to slog.Handler) {
	s.mu.Lock()
	more := s.counts[f] - sampleFirst
	delete(s.counts, f)
	s.mu.Unlock()
	if more <= 0 {
		return
	}
	r := slog.NewRecord(time.Now(), f.level, f.message, 0)
	for _, a := range []slog.Attr{
		slog.String("outcome", f.outcome), slog.String("reason", f.reason), slog.String("adapter", f.adapter), slog.String("step", f.step),
		slog.String("detail", f.detail),
	} {
		if a.Value.String() != "" {
			r.AddAttrs(a)
		}
	}
	r.AddAttrs(slog.Int("suppressed", more), slog.String("within", sampleInterval.String()))
	_ = to.Handle(context.Background(), r) // as everywhere, a log that cannot be written stops nothing
}
