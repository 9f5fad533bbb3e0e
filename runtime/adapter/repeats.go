// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package adapter

import "sync/atomic"

// reserve of repetitions that may be made whatever the share, so that few requests are repeated as declared. A circuit opens after minimumRequests
// failures in a row: as many are kept where that is more, or messages would use up attempts before it opens.
const reserve = 10

// repeats is the budget of repetitions: every request adds a part of one, every repetition takes one. A third party that begins to fail gets a little more
// than the usual load, not a multiple of it.
type repeats struct {
	// saved in hundredths of a repetition, percentage of them a request adds, up to most.
	saved, percentage, most atomic.Int64
}

// set changes the share; 0 is no bound.
func (r *repeats) set(percentage, minimumRequests int) {
	most := 100 * int64(max(reserve, minimumRequests))
	before := r.most.Swap(most)
	r.saved.Add(most - before)
	r.percentage.Store(int64(percentage))
}

// earn adds a request's part. Where many earn at once the bound may be exceeded by some parts.
func (r *repeats) earn() {
	if percentage := r.percentage.Load(); percentage > 0 && r.saved.Load() < r.most.Load() {
		r.saved.Add(percentage)
	}
}

// spend takes a repetition, if there is one.
func (r *repeats) spend() bool {
	if r.percentage.Load() == 0 {
		return true
	}
	if r.saved.Add(-100) >= 0 {
		return true
	}
	r.saved.Add(100)
	return false
}
