// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"bytes"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// slowCalls makes calls last, so that some are in flight whenever a pod is hit.
func slowCalls(s *stage) { s.party.Steer(`{"latency":"200ms"}`) }

// frozenFor is longer than the 120 s after which the broker takes a silent client for gone.
const frozenFor = 150 * time.Second

func workerFaults(r *record) []fault {
	first := func(signal syscall.Signal) func(*stage) { return func(s *stage) { s.pods[0].Signal(signal) } }
	return []fault{
		{name: "worker_sigstop", pods: 2, load: 20, lasts: frozenFor, worker: true, prepare: slowCalls, strike: first(syscall.SIGSTOP), heal: first(syscall.SIGCONT)},
		{name: "worker_sigkill", pods: 2, lasts: 8 * time.Second, worker: true, prepare: slowCalls, strike: first(syscall.SIGKILL)},
		{name: "worker_sigterm", pods: 2, lasts: 8 * time.Second, worker: true, prepare: slowCalls, strike: func(s *stage) { s.pods[0].Stop() },
			check: func(s *stage, v rig.Verdict) {
				r.figure("clean_leave_duplicates", `count("%s")`, "x == 0.0", floats(v.Duplicates)...)
			}},
		joinsAndLeaves(r),
		killingMessage(),
	}
}

// killingMessage kills the worker's process whenever it is handled.
func killingMessage() fault {
	const killing = "killing"
	var stop func()
	return fault{name: "killing_message", prepare: func(s *stage) {
		slowCalls(s)
		s.party.OnCall = func(body []byte) {
			if bytes.Contains(body, []byte(killing)) {
				s.pods[0].Kill()
			}
		}
	}, strike: func(s *stage) {
		stop = s.pods[0].Supervise()
		s.Cleanup(stop)
		s.flow.PayOne(killing)
	}, lasts: 20 * time.Second, provider: true, check: func(s *stage, v rig.Verdict) {
		if stop(); v.DeadLetters["CrashLoop"] != 1 || len(v.DeadLetters) != 1 {
			s.Errorf("dead letters %v, want one, with CrashLoop", v.DeadLetters)
		}
	}}
}

// joinsAndLeaves lets a third pod come and go twenty times. A duplicate is the join's or the leave's that it came after.
func joinsAndLeaves(r *record) fault {
	const times = 20
	var joined, left []int64
	return fault{name: "joins_and_leaves", pods: 2, prepare: slowCalls, strike: func(s *stage) {
		for i := range times {
			joined = append(joined, time.Now().UnixMilli())
			p := s.pod(fmt.Sprint("passer-by-", i))
			p.Start()
			rig.Wait(s.Context(), time.Second) // it has queues by then
			left = append(left, time.Now().UnixMilli())
			p.Stop()
		}
	}, check: func(s *stage, v rig.Verdict) {
		if len(joined) != times || s.Failed() {
			s.Errorf("%d pods joined, want %d", len(joined), times)
		}
		byJoin, byLeave := []float64{}, []float64{}
		for _, at := range v.Duplicates {
			n, _ := slices.BinarySearch(joined, at+1)
			if n > 0 && at >= left[n-1] {
				byLeave = append(byLeave, float64(at))
			} else {
				byJoin = append(byJoin, float64(at))
			}
		}
		r.figure("join_duplicates", `count("%s")`, "x == 0.0", byJoin...)
		r.figure("clean_leave_duplicates", `count("%s")`, "x == 0.0", byLeave...)
	}}
}

// sickFaults happen inside of a worker, of which sick is the binary.
func sickFaults(sick string) []fault {
	infect := func(s *stage) { s.pods[0].Binary = sick }
	const panics = 20
	return []fault{
		{name: "handler_panic", declare: func(s *worker.Structure, _ *worker.Live) { s.Retry.MaxAttempts = 3 }, prepare: infect, strike: func(s *stage) {
			for i := range panics {
				s.flow.PayOne(fmt.Sprint(rig.Panics, i))
			}
		}, check: func(s *stage, v rig.Verdict) {
			if v.DeadLetters["RetriesExhausted"] != panics || !s.pods[0].Alive() {
				s.Errorf("dead letters %v, want %d for panics, and no crash; it said\n%s", v.DeadLetters, panics, s.lastWords())
			}
		}},
		{name: "clock_jump", pods: 2, lasts: 30 * time.Second, declare: func(s *worker.Structure, _ *worker.Live) {
			s.Expiry = &worker.Expiry{After: worker.Duration(30 * time.Minute), SinceExpression: "order.paidAt"}
		}, prepare: func(s *stage) {
			infect(s)
			s.pods[0].Jumps = []rig.Jump{{After: 8 * time.Second, Wrong: 2 * time.Hour}, {After: 18 * time.Second, Wrong: -2 * time.Hour}, {After: 28 * time.Second}}
		}, strike: func(*stage) {}, check: func(s *stage, v rig.Verdict) {
			if len(v.DeadLetters) > 0 {
				s.Errorf("dead letters %v: a clock that jumps made young orders old", v.DeadLetters)
			}
		}},
	}
}
