// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// settling is for how long a Syncer that has begun may not have come round: the pods of thousands of groups take a minute.
const settling = 2 * time.Minute

func (s *Syncer) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = now
}

// Heard reports whether the pods of a group were asked since the Syncer began, or it began too long ago to wait for it: a group that is stalled may have none that can be asked. Until then
// what an operator before this one has heard is the best there is.
func (s *Syncer) Heard(name types.NamespacedName) bool {
	if s.Settled() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.groups[name]
	return known != nil && known.passed
}

// Settled reports whether it began so long ago that all pods that can be asked were. One that never began is: nobody waits for it.
func (s *Syncer) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.began) >= settling
}
