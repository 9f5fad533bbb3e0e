// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import (
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// parts are those a window is counted in: verdicts are forgotten a part at a time.
const parts = 10

// tally counts the verdicts of the last window of time. The zero tally has seen nothing.
type tally struct {
	counts [parts]struct{ all, failed int }
	all    int
	failed int
	// inARow failed since the last that did not, with never a window between two.
	inARow int
	// newest is the number, counted from the start of time, of the part that is being counted in.
	newest int64
}

// add counts a verdict of a window of that length.
func (t *tally) add(failed bool, now time.Time, window time.Duration) {
	part := now.UnixNano() / max(1, int64(window)/parts)
	for gone := min(part-t.newest, parts); gone > 0; gone-- {
		oldest := &t.counts[(part-gone+1)%parts]
		t.all, t.failed = t.all-oldest.all, t.failed-oldest.failed
		oldest.all, oldest.failed = 0, 0
	}
	t.newest = max(t.newest, part) // a clock that is set back does not bring back what is forgotten
	if t.all == 0 {
		t.inARow = 0
	}
	count := &t.counts[t.newest%parts]
	count.all++
	t.all++
	t.inARow++
	if !failed {
		t.inARow = 0
		return
	}
	count.failed++
	t.failed++
}

// tooMany says that the circuit is to open: the share of failures is reached, or as many as are enough to judge by failed in a row. A window full of
// successes would otherwise have to fill with failures first, and each of them is an attempt.
func (t *tally) tooMany(config worker.Breaker) bool {
	return t.inARow >= config.MinimumRequests || t.all >= config.MinimumRequests && t.failed*100 >= t.all*config.FailurePercentage
}
