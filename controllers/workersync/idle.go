// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/orderflow-dev/orderflow/api/worker"
)

const (
	// idlePeriod lies between two calls of a group that is not busy, half of it more or less: without messages a pod has nothing new to tell, and a call is a TLS handshake.
	idlePeriod = 5 * time.Minute
	// unwatchedPeriod is the idlePeriod of a group of which nobody else sees whether messages move.
	unwatchedPeriod = 30 * time.Second
)

// heard takes in what came of a pass, and plans the next.
func (s *state) heard(reports []Report) {
	before := s.reports
	s.reports, s.passed = reports, true
	if busy(before, reports, s.group.Live.Revision) {
		s.due = time.Time{}
		return
	}
	pause := idlePeriod
	if s.group.Unwatched {
		pause = unwatchedPeriod
	}
	s.due = time.Now().Add(wait.Jitter(pause/2, 2))
	s.hangUp()
}

// busy reports whether the pods of a group have anything to tell that may be different in two seconds: they handle messages, some circuit is not closed, they do
// not all run with what they should or can use their credentials, or not all of them were heard twice.
func busy(before, reports []Report, revision string) bool {
	if len(before) != len(reports) {
		return true
	}
	for i, r := range reports {
		was, is := before[i], r.Answer
		if r.Err != nil || was.Err != nil || was.Pod != r.Pod || is.LiveRevision != revision || is.LiveProblem != "" ||
			is.Parked || is.InFlight > 0 || is.Waiting > 0 || is.QueuesHeld > 0 || is.Handled != was.Answer.Handled || is.Queues != was.Answer.Queues {
			return true
		}
		if slices.ContainsFunc(is.Adapters, troubled) {
			return true
		}
	}
	return false
}

// troubled reports whether a pod has something against a third party, or against the credentials it has for it.
func troubled(seen worker.AdapterReport) bool {
	return !unsuspected(seen) || seen.CredentialProblem != ""
}

// unsuspected reports whether nothing is known against a third party.
func unsuspected(seen worker.AdapterReport) bool {
	return seen.Circuit == worker.CircuitClosed && !seen.Held && seen.Outage == nil
}
