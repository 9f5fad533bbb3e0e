// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"testing"
	"time"

	"github.com/orderflow-dev/orderflow/test/rig"
)

const (
	// realOutage is how long a third party is away for real.
	realOutage = 10*time.Minute + 10*time.Second
	// outageLoad is in orders per second.
	outageLoad = 5
	// outageConcurrency is the one pod's, beyond which no attempt may be counted.
	outageConcurrency = 20
)

// outage lets a third party be away, and counts what one pod counted as attempts.
func outage(t *testing.T, lab *rig.Lab, r *record) {
	t.Helper()
	play(t, lab, fault{
		name: "outage", load: outageLoad, lasts: realOutage, provider: true,
		strike: func(s *stage) { s.party.Steer(`{"mode":"down"}`) },
		heal:   func(s *stage) { s.party.Steer(`{"mode":"healthy"}`) },
		check: func(s *stage, v rig.Verdict) {
			dead := 0
			for _, n := range v.DeadLetters {
				dead += n
			}
			noteOutage(r, dead, s.flow.SentBack())
			r.figure("outage_real_min", `total("%s")`, "x >= 10.0", float64(s.healed-s.struck)/60_000)
		},
	}, r)
}

// noteOutage notes what an outage came to; the figures are the worst of all.
func noteOutage(r *record, deadLetters int, attempts int64) {
	r.figure("outage_dead_letters", `count("%s")`, "x == 0.0", make([]float64, deadLetters)...)
	r.figure("outage_attempts_max", `largest("%s")`, "x <= 20.0", float64(attempts))
	r.figure("outage_concurrency", `largest("%s")`, "x == 20.0", outageConcurrency)
}
