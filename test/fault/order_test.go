// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"fmt"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

const (
	// inOrderLoad is such that each queue has a message at most 100 ms after the last: how long it stands still can be seen.
	inOrderLoad = 80
	// inOrderCall is how long every call lasts, not by chance, so that two of one key at once can be seen.
	inOrderCall = 50 * time.Millisecond
)

// orderlyFaults take members from a group that keeps the order of each key, in each mode.
func orderlyFaults(r *record) (faults []fault) {
	for _, mode := range []worker.Mode{worker.ModePush, worker.ModePull} {
		for _, f := range membersGo(r) {
			f.pods, f.load = 2, inOrderLoad
			f.declare = func(s *worker.Structure, _ *worker.Live) { s.Mode, s.OrderKeyExpression = mode, rig.OrderKey }
			f.prepare = func(s *stage) { s.party.Steer(fmt.Sprintf(`{"latency":%q,"sigma":0}`, inOrderCall)) }
			if mode == worker.ModePull {
				f.name += "_pull"
			}
			faults = append(faults, f)
		}
	}
	return faults
}

// membersGo are the ways in which members go.
func membersGo(r *record) []fault {
	const lasts = 8 * time.Second
	return []fault{
		{name: "orderly_sigterm", worker: true, lasts: lasts, strike: func(s *stage) { s.pods[0].Stop() }, check: func(s *stage, v rig.Verdict) {
			inOrder(s, r, "orderly_handover_sigterm_s", "x < 1.0")
			r.figure("clean_leave_duplicates", `count("%s")`, "x == 0.0", floats(v.Duplicates)...)
		}},
		{name: "orderly_sigkill", worker: true, lasts: lasts, strike: func(s *stage) { s.pods[0].Signal(syscall.SIGKILL) }, check: func(s *stage, _ rig.Verdict) {
			inOrder(s, r, "orderly_handover_sigkill_s", "x < 5.0")
		}},
		{name: "orderly_sigstop", worker: true, lasts: frozenFor, strike: func(s *stage) { s.pods[0].Signal(syscall.SIGSTOP) }, heal: func(s *stage) { s.pods[0].Signal(syscall.SIGCONT) },
			check: func(s *stage, _ rig.Verdict) { keptOrder(s, r) }},
		// One is started again, in place of the other comes a new one, whose name nobody has heard.
		{name: "orderly_sigkill_all", strike: func(s *stage) {
			for _, p := range s.pods {
				p.Signal(syscall.SIGKILL)
			}
		}, heal: func(s *stage) {
			s.pods[0].Kill() // until it has ended
			s.pods[0].Launch()
			s.pods = append(s.pods, s.pod("successor"))
			s.pods[2].Launch()
		}, check: func(s *stage, _ rig.Verdict) { inOrder(s, r, "orderly_handover_all_s", "x < 10.0") }},
	}
}

// inOrder notes for how long queues stood still after the fault, at the longest, and what was called for out of order.
func inOrder(s *stage, r *record, figure, goal string) {
	paid, calls := s.flow.Paid(), s.party.Calls()
	var stood []float64
	for _, still := range rig.Stood(s.struck, paid, calls) {
		stood = append(stood, still.Seconds())
	}
	s.Logf("queues stood still for %v s", stood)
	r.figure(figure, `largest("%s")`, goal, stood...)
	keptOrder(s, r)
}

// keptOrder notes what was called for out of order.
func keptOrder(s *stage, r *record) {
	reordered := rig.Reordered(s.flow.Paid(), s.party.Calls(), inOrderCall)
	s.Logf("out of order: %v", reordered)
	r.figure("orderly_reordered", `count("%s")`, "x == 0.0", make([]float64, len(reordered))...)
}
