// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/cloudevent"
	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// letter is a dead letter as an expression sees it: the message, as far as it can be told.
type letter struct {
	*rocketmq.Message
	order any
	event cloudevent.Event
}

func (l letter) Order() any                    { return l.order }
func (l letter) Tag() string                   { return l.Property(rocketmq.PropertyTags) }
func (l letter) Keys() []string                { return strings.Fields(l.Property(rocketmq.PropertyKeys)) }
func (l letter) BornTime() time.Time           { return time.UnixMilli(l.born()).UTC() }
func (l letter) Topic() string                 { return l.Property(rocketmq.PropertyRetryTopic) }
func (l letter) reason() string                { return l.Property(rocketmq.PropertyReason) }
func (l letter) place() string                 { return place(l.Queue, l.Offset) }
func (l letter) stored() time.Time             { return time.UnixMilli(l.Stored) }
func (l letter) Properties() map[string]string { return l.event.Properties(l.Message) }

// decode decodes the order as workers do. What has none is without one, which expressions see.
func (l *letter) decode() {
	l.order, l.event, _ = cloudevent.Decode(l.Message)
}

// ID is the message's, as workers have it.
func (l letter) ID() string { return l.OriginalID() }

// Attempt is how often the message was tried.
func (l letter) Attempt() int {
	attempts, err := strconv.Atoi(l.Property(rocketmq.PropertyAttempts))
	if err != nil {
		return l.Reconsumed + 1
	}
	return attempts
}

// born is when the sender made the message, in milliseconds since 1970; a broker's own dead letter still has it.
func (l letter) born() int64 {
	born, err := strconv.ParseInt(l.Property(rocketmq.PropertyBorn), 10, 64)
	if err != nil {
		return l.Born
	}
	return born
}

func place(q rocketmq.Queue, offset int64) string {
	return fmt.Sprintf("%s/%d/%d", q.Broker, q.ID, offset)
}

// selection is what a replay selects by.
type selection struct {
	spec *v1alpha1.DeadLetterReplaySpec
	when *expression.Program // nil: always
}

func newSelection(spec *v1alpha1.DeadLetterReplaySpec) (selection, error) {
	s := selection{spec: spec}
	if spec.Filter == nil || spec.Filter.WhenExpression == "" {
		return s, nil
	}
	var err error
	s.when, err = expression.Compile(worker.Expression{Field: "filter.whenExpression", Source: spec.Filter.WhenExpression, Result: worker.BoolResult, Scope: worker.MessageScope})
	return s, err
}

// selects reports whether the letter is part of the replay. One for which the expression cannot be evaluated is not.
func (s selection) selects(ctx context.Context, l letter) bool {
	if w := s.spec.Window; w != nil && (w.From != nil && l.stored().Before(w.From.Time) || w.To != nil && !l.stored().Before(w.To.Time)) {
		return false
	}
	f := s.spec.Filter
	if f == nil {
		return true
	}
	if len(f.Reasons) > 0 && !slices.Contains(f.Reasons, l.reason()) || len(f.MessageIDs) > 0 && !slices.Contains(f.MessageIDs, l.ID()) {
		return false
	}
	if s.when == nil {
		return true
	}
	yes, err := s.when.Bool(ctx, expression.OfMessage(l))
	return err == nil && yes
}

// contract is what the group's third parties promise of a request that is made again.
type contract struct {
	// window is for how long all of those that matter remember keys. 0: forever.
	window time.Duration
	// repeats: one of them ignores keys, and its effect must not be repeated.
	repeats bool
}

func contractOf(adapters []*v1alpha1.ThirdPartyAdapter) (c contract) {
	for _, a := range adapters {
		i := a.Spec.Idempotency
		switch window := i.Window.Duration; {
		case i.Duplicates == v1alpha1.DuplicatesAccept, i.StatusQuery != nil: // the latter is asked before anything is sent
		case i.Keys != v1alpha1.KeyHonoured:
			c.repeats = true
		case window > 0 && (c.window == 0 || window < c.window):
			c.window = window
		}
	}
	return c
}

// judge is why a selected letter is not given back; empty: it is. taken are the messages that were.
func (c contract) judge(l letter, taken map[string]bool, earlier []past, now time.Time) string {
	id := recorded(l.ID())
	switch {
	case l.Err != nil:
		return skippedUnreadable
	case taken[id]:
		return skippedDuplicate
	case slices.ContainsFunc(earlier, func(p past) bool { return p.gaveBack(l, id) }):
		return skippedReplayed
	}
	return c.forbids(l, now)
}

// forbids says why the letter must not be given back now, as its effect might be made twice. Empty: it may be.
func (c contract) forbids(l letter, now time.Time) string {
	switch {
	case c.window > 0 && now.Sub(l.BornTime()) > c.window:
		return skippedWindowPassed
	case c.repeats && (l.reason() == worker.ReasonFateUnknown || l.reason() == worker.ReasonCrashLoop):
		return skippedFateUnknown
	}
	return ""
}
