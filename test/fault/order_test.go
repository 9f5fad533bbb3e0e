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

// orderlyFaults take members from a group that keeps the order of each key.
func orderlyFaults(r *record) []fault {
	list := []fault{
		{name: "orderly_sigterm", strike: func(s *stage) { s.pods[0].Stop() }, check: func(s *stage, v rig.Verdict) {
			inOrder(s, r, "orderly_handover_sigterm_s", "x < 1.0")
			r.figure("clean_leave_duplicates", `count("%s")`, "x == 0.0", floats(v.Duplicates)...)
		}},
		{name: "orderly_sigkill", strike: func(s *stage) { s.pods[0].Signal(syscall.SIGKILL) }, check: func(s *stage, _ rig.Verdict) {
			inOrder(s, r, "orderly_handover_sigkill_s", "x < 5.0")
		}},
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
	for i := range list {
		f := &list[i]
		f.pods, f.load = 2, inOrderLoad
		f.declare = func(s *worker.Structure, _ *worker.Live) { s.OrderKeyExpression = rig.OrderKey }
		f.prepare = func(s *stage) { s.party.Steer(fmt.Sprintf(`{"latency":%q,"sigma":0}`, inOrderCall)) }
		if f.heal == nil {
			f.worker, f.lasts = true, 8*time.Second
		}
	}
	return list
}

// inOrder notes for how long queues stood still after the fault, at the longest, and what was called for out of order.
func inOrder(s *stage, r *record, figure, goal string) {
	paid, calls := s.flow.Paid(), s.party.Calls()
	var stood []float64
	for _, still := range rig.Stood(s.struck, paid, calls) {
		stood = append(stood, still.Seconds())
	}
	reordered := rig.Reordered(paid, calls, inOrderCall)
	s.Logf("queues stood still for %v s; out of order: %v", stood, reordered)
	r.figure(figure, `largest("%s")`, goal, stood...)
	r.figure("orderly_reordered", `count("%s")`, "x == 0.0", make([]float64, len(reordered))...)
}
