// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/message"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
)

// SkippedByID is Dead: somebody declared that the message is not to be handled.
const SkippedByID outcome.Reason = "SkippedByID"

// skips are messages that are not to be handled, by their ids.
type skips struct {
	// wanted is nil where there are none, so that nobody else looks for a message's id.
	wanted atomic.Pointer[map[string]struct{}]

	mu   sync.Mutex
	done []string // those met, of the wanted
}

// Skip says which messages are not to be handled from now on, by their ids.
func (d *Delivery) Skip(ids []string) {
	d.skips.mu.Lock()
	defer d.skips.mu.Unlock()
	d.skips.done = slices.DeleteFunc(d.skips.done, func(id string) bool { return !slices.Contains(ids, id) })
	if len(ids) == 0 {
		d.skips.wanted.Store(nil)
		return
	}
	wanted := map[string]struct{}{}
	for _, id := range ids {
		wanted[id] = struct{}{}
	}
	d.skips.wanted.Store(&wanted)
}

// Skipped are the ids of those messages that were met and not handled.
func (d *Delivery) Skipped() []string {
	d.skips.mu.Lock()
	defer d.skips.mu.Unlock()
	return slices.Clone(d.skips.done)
}

// Spare is the outcome of a message that is not to be handled; false for any other.
func (d *Delivery) Spare(raw *rocketmq.Message) (outcome.Outcome, bool) {
	return d.skips.passed(message.New(raw))
}

// passed is the outcome of a message that is not to be handled; false for any other.
func (s *skips) passed(m *message.Message) (outcome.Outcome, bool) {
	wanted := s.wanted.Load()
	if wanted == nil {
		return outcome.Outcome{}, false
	}
	id := m.ID()
	if _, is := (*wanted)[id]; !is {
		return outcome.Outcome{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.done, id) {
		s.done = append(s.done, id)
	}
	return outcome.Spare(SkippedByID, "skipMessageIDs of the group names it"), true
}
